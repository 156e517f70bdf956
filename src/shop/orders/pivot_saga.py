"""The saga of the dialect `pivot-saga`: stock reserved, money taken at once, the buyer told if that is possible."""

from enum import IntEnum

import msgspec

from amends import Saga, begun, best_effort, compensatable, pivot, retriable
from amends.pages import Instance
from amends.state import ENDED, Phase
from shop.notifications.contract import SendNotification
from shop.orders.domain import Status
from shop.orders.sagas import Purchase, approve, reject
from shop.payments.contract import Pay
from shop.warehouse.contract import CancelItems, ReserveItems


class Wished(msgspec.Struct, frozen=True, gc=False):
    """Of a purchase's details, what its steps need."""

    payment: int
    notification: int


class OrderCode(IntEnum):
    NEW = 1
    IN_PROCESS = 2
    OK = 3
    NOT_OK = 4
    CANCELLED = 5


_wished = msgspec.json.Decoder(Wished).decode


def reserve(order: Purchase) -> ReserveItems:
    return ReserveItems(order.order_id, order.number, order.lines)


def cancel(order: Purchase) -> CancelItems:
    return CancelItems(order.order_id, order.number)


def pay(order: Purchase) -> Pay:
    method = _wished(order.details).payment
    return Pay(order.order_id, order.number, method, order.card, order.total_minor)


def send(order: Purchase) -> SendNotification:
    channel, text = _wished(order.details).notification, f"Your order {order.number} is on its way."
    return SendNotification(f"{order.order_id}/approved", order.number, order.user_id, channel, text)


RESERVE, PAY, SEND = "reserve items", "pay at once", "send notification"
_SERVICES = {RESERVE: "warehouse", PAY: "payment", SEND: "notification"}

place_with_pivot = Saga(
    "place-with-pivot",
    Purchase,
    begun("open order", undo=reject),
    compensatable(RESERVE, reserve, undo=cancel),
    pivot(PAY, pay),
    retriable("approve order", approve),
    best_effort(SEND, send),
    deadline_s=30,
)


def code_of(status: Status, saga: Instance | None) -> OrderCode:
    """Of an order whose saga has been started; it is over when the last service has answered."""
    if saga is None or saga.state.status not in ENDED:
        return OrderCode.IN_PROCESS
    match status:
        case Status.APPROVED:
            return OrderCode.OK
        case Status.CANCELLED:
            return OrderCode.CANCELLED
        case _:
            return OrderCode.NOT_OK


def detail_of(saga: Instance | None) -> str:
    """What each service has answered: `warehouse: OK; payment: not OK, card-declined; notification: not asked`."""
    if saga is None or saga.version != place_with_pivot.version:
        return ""
    told = [f"{service}: {_answer(saga, step)}" for step, service in _SERVICES.items()]
    return "; ".join(told)


def _answer(saga: Instance, step: str) -> str:
    at = place_with_pivot.index[step]
    match saga.state.steps[at].phase:
        case Phase.DONE | Phase.RESOLVED:
            return "OK"
        case Phase.UNDONE:
            return "OK, cancelled" if _was_done(saga, at) else "no answer, cancelled"
        case Phase.REFUSED | Phase.FAILED as phase:
            return f"not OK, {_detail(saga, at, phase)}"
        case Phase.WAITING:
            return "not asked"
        case _:
            return "no answer"


def _was_done(saga: Instance, at: int) -> bool:
    return any(entry.step == at and entry.what == Phase.DONE for entry in saga.state.history)


def _detail(saga: Instance, at: int, phase: Phase) -> str:
    lines = (entry.detail for entry in saga.state.history if entry.step == at and entry.what == phase)
    return next(lines, "")
