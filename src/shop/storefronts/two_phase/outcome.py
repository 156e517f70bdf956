"""How the clients of `two-phase` are told what became of a purchase."""

from amends.pages import Instance
from shop.orders.desk import OrderView
from shop.orders.domain import Status

NO_MONEY = "Not enough balance"
NO_STOCK = "Warehouse is empty"
NO_COURIER = "No courier is available"

_BY_REASON = {"insufficient-funds": NO_MONEY, "out-of-stock": NO_STOCK, "no-courier": NO_COURIER}


def fault_of(order: OrderView, saga: Instance | None) -> str | None:
    """The first fault of a purchase that was turned back; None when it isn't known, or was something else.

    A refusal is the first fault when all who are declared before it have voted.
    """
    known = order.status is Status.REJECTED and saga is not None and not _unsure(saga)
    return _BY_REASON.get(order.reason or "") if known else None


def _unsure(saga: Instance) -> bool:
    lines = saga.state.history
    refused = [line.step for line in lines if line.what == "refused"]
    silent = [line.step for line in lines if line.what == "unknown"]
    return bool(refused and silent) and min(silent) < min(refused)
