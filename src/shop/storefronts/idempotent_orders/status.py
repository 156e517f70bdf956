"""How the clients of `idempotent-orders` are told what became of an order.

created ──account found──▶ processing ──paid and completed──▶ complete
   └─────────refused, cancelled, no answer────┴──▶ cancelled, or refunded when it had been paid
"""

from typing import assert_never

from shop.billing.desk import Hold, HoldState
from shop.orders.desk import OrderView
from shop.orders.domain import Status
from shop.orders.idempotent_saga import FIND
from shop.storefronts.idempotent_orders.bodies import OrderStatus

_NOT_FOUND = ("waiting", "asked")


def status_of(order: OrderView, payment: Hold | None) -> OrderStatus:
    """The order's status in the dialect; `payment` is the one of an order that was turned back."""
    match order.status:
        case Status.PENDING:
            finding = any(step.name == FIND and step.state in _NOT_FOUND for step in order.saga.steps)
            return "created" if finding else "processing"
        case Status.APPROVED:
            return "complete"
        case Status.REJECTED | Status.CANCELLED:
            return "refunded" if payment is not None and payment.state is HoldState.REFUNDED else "cancelled"
        case _:
            assert_never(order.status)
