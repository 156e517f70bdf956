"""What others may ask notifications, what it answers, and what it tells of orders with a number, their key."""

from amends import Command, Event, Reply
from shop.service_status import ServiceStatus


class NotificationsCommand(Command):
    participant = "notifications"


class Notify(NotificationsCommand):
    notification_id: str
    user_id: str
    email: str
    message: str


class NoteContact(NotificationsCommand):
    """Where to reach a user from now on."""

    user_id: str
    email: str


class SendNotification(NotificationsCommand):
    """`Notify` for an order with a number; it is told. `channel` is 1 for e-mail, 2 for SMS."""

    notification_id: str
    number: int
    user_id: str
    channel: int
    message: str


class Notified(Reply): ...


class ContactNoted(Reply): ...


class NotificationWanted(Event):
    """Notifications was asked to send; `notification` is the channel."""

    topic = "orders.service.notification.send"
    order_id: int
    notification: int
    message: str


class NotificationTold(Event):
    """What became of it; `detail` is the reason of a refusal."""

    topic = "orders.service.notification.status"
    order_id: int
    status: ServiceStatus
    detail: str = ""
