"""What notifications does when it is asked, and when it hears of something.

A wallet has the id of its user. Who has left no address is told nothing.
"""

from collections.abc import Sequence

from amends import Participant, Tx
from shop.billing.contract import MoneyPaidIn, MoneyPaidOut, PaymentRefused, WalletIsOpen
from shop.notifications.contract import ContactNoted, NoteContact, Notified, Notify
from shop.notifications.domain import Notification, completed, paid_in, paid_out, refused
from shop.notifications.tables import contact_of, insert_notifications, note_contact
from shop.orders.contract import OrderCompleted

notifications = Participant("notifications")

_NOTIFIED = Notified()


@notifications.handles_many(Notify)
async def notify(tx: Tx, commands: Sequence[Notify]) -> list[Notified]:
    await insert_notifications(tx, [_kept(each, tx.now) for each in commands])
    return [_NOTIFIED] * len(commands)


@notifications.handles(NoteContact)
async def note(tx: Tx, command: NoteContact) -> ContactNoted:
    await note_contact(tx, command.user_id, command.email)
    return ContactNoted()


@notifications.hears(WalletIsOpen)
async def hear_of_wallet(tx: Tx, event: WalletIsOpen) -> None:
    await _tell(tx, f"{event.wallet_id}/open", event.wallet_id, "Your wallet is open.")


@notifications.hears(MoneyPaidIn)
async def hear_of_money(tx: Tx, event: MoneyPaidIn) -> None:
    message = paid_in(event.amount_minor, event.balance_minor)
    await _tell(tx, f"{event.deposit_id}/paid-in", event.wallet_id, message)


@notifications.hears(MoneyPaidOut)
async def hear_of_payment(tx: Tx, event: MoneyPaidOut) -> None:
    message = paid_out(event.amount_minor, event.balance_minor)
    await _tell(tx, f"{event.payment_id}/paid-out", event.wallet_id, message)


@notifications.hears(PaymentRefused)
async def hear_of_refusal(tx: Tx, event: PaymentRefused) -> None:
    message = refused(event.amount_minor, event.balance_minor)
    await _tell(tx, f"{event.payment_id}/refused", event.wallet_id, message)


@notifications.hears(OrderCompleted)
async def hear_of_order(tx: Tx, event: OrderCompleted) -> None:
    await _tell(tx, f"{event.order_id}/completed", event.user_id, completed(event.number, event.total_minor))


async def _tell(tx: Tx, id: str, user_id: str, message: str) -> None:
    email = await contact_of(tx, user_id)
    if email is not None:
        await insert_notifications(tx, [Notification(id, user_id, email, message, tx.now)])


def _kept(command: Notify, now: float) -> Notification:
    return Notification(command.notification_id, command.user_id, command.email, command.message, now)
