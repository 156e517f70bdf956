"""How the clients of `queue-saga` are told what became of an order. Their spelling is kept."""

from typing import assert_never

from amends.pages import Instance
from shop.orders.desk import Order
from shop.orders.domain import Status
from shop.orders.sagas import place_order

PENDING = "Pending"
SUCCESS = "Delivery Succes"
NO_MONEY = "Not enough money"
NO_STOCK = "Not enough position quantity"
NO_DELIVERY = "Delivery Error"
ENDED = frozenset({SUCCESS, NO_MONEY, NO_STOCK, NO_DELIVERY})

_BY_REASON = {"insufficient-funds": NO_MONEY, "out-of-stock": NO_STOCK, "no-courier": NO_DELIVERY}
_BY_STEP = {"hold money": NO_MONEY, "capture money": NO_MONEY, "reserve stock": NO_STOCK}
_FAILED = ("refused", "unknown")


def status_of(order: Order, saga: Instance | None) -> str:
    """The order's status in the dialect, which has only three ways to fail.

    An order turned back for another cause than a refusal gets the one that is nearest to the step that failed.
    """
    match order.status:
        case Status.PENDING:
            return PENDING
        case Status.APPROVED:
            return SUCCESS
        case Status.REJECTED:
            known = _BY_REASON.get(order.reason or "")
            return known or _BY_STEP.get(failed_step(saga), NO_DELIVERY)
        case Status.CANCELLED:
            return NO_DELIVERY
        case _:
            assert_never(order.status)


def failed_step(saga: Instance | None) -> str:
    """The step for which a saga turned back, or "": its cause names it, or its history."""
    if saga is None:
        return ""
    _, _, named = saga.state.cause.partition(": ")
    if named or saga.version != place_order.version:
        return named
    failed = (entry.step for entry in saga.state.history if entry.step >= 0 and entry.what in _FAILED)
    return next((place_order.steps[step].name for step in failed), "")
