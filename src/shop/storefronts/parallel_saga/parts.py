"""What clients are shown of an order that the saga placed: the order, its payment, its items, its delivery.

Payment and delivery have the order's id. What the saga never got is not there; what it has undone is CANCELED.
"""

from typing import Literal

from amends.state import Phase
from shop.orders.desk import OrderView
from shop.orders.domain import Status
from shop.orders.parallel_saga import CAPTURE, COURIER, PAYMENT, STOCK
from shop.storefronts.amounts import to_major
from shop.storefronts.parallel_saga.bodies import Delivery, Item, Line, Order, OrderStatus, Payment
from shop.storefronts.parallel_saga.values import item_id, item_of, time_of

Standing = Literal["PENDING", "MADE", "CANCELED"]

_STATUS: dict[Status, OrderStatus] = {
    Status.PENDING: "PENDING",
    Status.APPROVED: "SUCCESS",
    Status.REJECTED: "CANCELED",
    Status.CANCELLED: "CANCELED",
}
_DID = frozenset({Phase.DONE, Phase.RESOLVED})
_OPEN = frozenset({Phase.ASKED, Phase.STUCK})
_NEVER = frozenset({Phase.WAITING, Phase.REFUSED})


def order_shown(view: OrderView) -> Order:
    lines = [Line(item_of(each.sku), each.quantity, to_major(each.price_minor)) for each in view.items]
    return Order(view.id, _STATUS[view.status], lines)


def payment_shown(view: OrderView) -> Payment | None:
    """SUCCESS once the money is taken; until then it is only held."""
    found = standing(view, PAYMENT)
    if found is None:
        return None
    if found == "MADE" and standing(view, CAPTURE) != "MADE":
        found = "PENDING"
    return Payment(view.id, view.id, to_major(view.total_minor), "SUCCESS" if found == "MADE" else found)


def items_shown(view: OrderView, number: int) -> list[Item]:
    """None of them, or all; `number` is the order's."""
    found = standing(view, STOCK)
    if found is None:
        return []
    status = "RESERVED" if found == "MADE" else found
    return [Item(item_id(number, nth), view.id, item_of(each.sku), status) for nth, each in enumerate(view.items)]


def delivery_shown(view: OrderView) -> Delivery | None:
    found = standing(view, COURIER)
    if found is None:
        return None
    return Delivery(view.id, view.id, time_of(view.slot), "SCHEDULED" if found == "MADE" else found)


def standing(view: OrderView, step: str) -> Standing | None:
    """What became of a step; None when it has done nothing."""
    if view.status is Status.APPROVED:
        return "MADE"
    phase = next((each.state for each in view.saga.steps if each.name == step), Phase.UNDONE)
    if phase in _NEVER:
        return None
    if phase in _OPEN:
        return "PENDING"
    return "MADE" if phase in _DID else "CANCELED"
