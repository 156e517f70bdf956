"""Orders with a number: their notifications are kept like others, and everybody is told what became of them."""

from amends import Refusal, Tx
from amends.faults import Refuse, RefusedByFault
from amends.messages import Command, Event, reason_of, type_name
from shop.notifications.contract import NotificationTold, NotificationWanted, Notified, SendNotification
from shop.notifications.domain import Notification
from shop.notifications.participant import notifications
from shop.notifications.tables import contact_of, insert_notifications
from shop.service_status import ServiceStatus

TOLD: tuple[type[Event], ...] = (NotificationWanted, NotificationTold)


@notifications.handles(SendNotification)
async def send(tx: Tx, command: SendNotification) -> Notified:
    """Who has left no address is told nothing by e-mail, and it is kept all the same."""
    address = await contact_of(tx, command.user_id) or ""
    kept = Notification(command.notification_id, command.user_id, address, command.message, tx.now)
    await insert_notifications(tx, [kept])
    _tell(tx, command, ServiceStatus.OK)
    return Notified()


async def refuse(tx: Tx, command: SendNotification) -> Refusal:
    """On purpose."""
    _tell(tx, command, ServiceStatus.NOT_OK, reason_of(type_name(RefusedByFault)))
    return RefusedByFault()


REFUSALS: dict[type[Command], Refuse] = {SendNotification: refuse}


def _tell(tx: Tx, command: SendNotification, end: ServiceStatus, detail: str = "") -> None:
    number, key = command.number, str(command.number)
    tx.tell(NotificationWanted(number, command.channel, command.message), key=key)
    tx.tell(NotificationTold(number, ServiceStatus.ACCEPTED), key=key)
    tx.tell(NotificationTold(number, end, detail), key=key)
