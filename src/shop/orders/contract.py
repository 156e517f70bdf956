"""What others may ask orders, what it answers, and what it tells everybody. The key of an event is its order."""

from amends import Command, Event, Refusal, Reply


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


class CompleteOrder(OrdersCommand):
    """Approves an order for as long as its saga does not turn back."""

    order_id: str


class ReopenOrder(OrdersCommand):
    """Undoes `CompleteOrder`: the order is pending again."""

    order_id: str


class TellCompleted(OrdersCommand):
    """Everybody is told that the order is complete."""

    order_id: str
    number: int
    user_id: str
    total_minor: int


class OrderApproved(Reply): ...


class OrderRejected(Reply): ...


class OrderCancelled(Reply): ...


class OrderReopened(Reply): ...


class CompletedTold(Reply): ...


class OrderNotPending(Refusal):
    """The order is not there, or has ended already."""


class OrdersEvent(Event):
    topic = "orders.events"
    order_id: str


class OrderCompleted(OrdersEvent):
    """An order that a dialect tells of; `number` is the order's in its storefront, `user_id` its customer."""

    number: int
    user_id: str
    total_minor: int
