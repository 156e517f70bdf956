"""What notifications does when it is asked."""

from collections.abc import Sequence

from amends import Participant, Tx
from shop.notifications.contract import Notified, Notify
from shop.notifications.domain import Notification
from shop.notifications.tables import insert_notifications

notifications = Participant("notifications")

_NOTIFIED = Notified()


@notifications.handles_many(Notify)
async def notify(tx: Tx, commands: Sequence[Notify]) -> list[Notified]:
    await insert_notifications(tx, [_kept(each, tx.now) for each in commands])
    return [_NOTIFIED] * len(commands)


def _kept(command: Notify, now: float) -> Notification:
    return Notification(command.notification_id, command.user_id, command.email, command.message, now)
