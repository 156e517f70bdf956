"""What others may ask orders, and what it answers."""

from amends import Command, Reply


class OrdersCommand(Command):
    participant = "orders"


class ApproveOrder(OrdersCommand):
    order_id: str


class RejectOrder(OrdersCommand):
    """`reason` is the cause for which the order's saga turned back."""

    order_id: str
    reason: str


class CancelOrder(OrdersCommand):
    """The order was approved and is taken back: money refunded, stock and courier released."""

    order_id: str


class OrderApproved(Reply): ...


class OrderRejected(Reply): ...


class OrderCancelled(Reply): ...
