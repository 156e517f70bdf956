"""What others may ask notifications, and what it answers."""

from amends import Command, Reply


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


class Notified(Reply): ...


class ContactNoted(Reply): ...
