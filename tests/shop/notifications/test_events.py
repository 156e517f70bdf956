"""What happens to a wallet reaches the user who left an address, once, in order."""

from amends.messages import Envelope, Event, Kind, MessageId, encode, type_name
from shop.billing.contract import MoneyPaidIn, MoneyPaidOut, PaymentRefused, WalletIsOpen
from shop.notifications.contract import NoteContact
from shop.notifications.tables import of_user
from shop.orders.contract import OrderCompleted
from tests.shop.conftest import AskedRoom


def told(event: Event, id: str, key: str = "ann") -> Envelope:
    return Envelope(
        id=MessageId(id),
        kind=Kind.EVENT,
        type=type_name(type(event)),
        to=event.topic,
        key=key,
        at=0.0,
        payload=encode(event),
        sender="billing",
    )


async def hear(room: AskedRoom, *events: Envelope) -> None:
    """Each comes twice."""
    assert room.service.hop is not None
    await room.service.hop.hop([each for event in events for each in (event, event)])
    await room.service.hop.hop(events)


async def messages(room: AskedRoom, user_id: str = "ann") -> list[tuple[str, str]]:
    return [(each.email, each.message) for each in await room.see(of_user, user_id)]


async def test_user_is_told_of_the_wallet_and_of_the_money(notifications: AskedRoom) -> None:
    assert await notifications.ask(NoteContact("ann", "ann@shop.example")) == ["ContactNoted"]
    paid = MoneyPaidIn("ann", "d1", 10020, 10020)
    await hear(notifications, told(WalletIsOpen("ann"), "e1"), told(paid, "e2"))
    assert await messages(notifications) == [
        ("ann@shop.example", "Your wallet is open."),
        ("ann@shop.example", "100.20 was paid into your wallet; it holds 100.20 now."),
    ]


async def test_user_is_told_of_a_payment_and_of_one_that_was_refused(notifications: AskedRoom) -> None:
    await notifications.ask(NoteContact("ann", "ann@shop.example"))
    paid, refused = MoneyPaidOut("ann", "p1", 4890, 5130), PaymentRefused("ann", "p2", 14890, 5130)
    await hear(notifications, told(paid, "e1"), told(refused, "e2"))
    assert [text for _, text in await messages(notifications)] == [
        "48.90 was paid out of your wallet; it holds 51.30 now.",
        "Your wallet is too small to pay 148.90; it holds 51.30.",
    ]


async def test_the_same_under_another_id_is_told_once(notifications: AskedRoom) -> None:
    """An outbox that is sent again after its rows were restored makes no second message."""
    await notifications.ask(NoteContact("ann", "ann@shop.example"))
    paid = MoneyPaidIn("ann", "d1", 500, 500)
    await hear(notifications, told(paid, "e1"))
    await hear(notifications, told(paid, "e2"))
    assert len(await messages(notifications)) == 1


async def test_customer_is_told_of_the_completed_order(notifications: AskedRoom) -> None:
    await notifications.ask(NoteContact("ann", "ann@shop.example"))
    await hear(notifications, told(OrderCompleted("o1", 7, "ann", 200), "e1", "o1"))
    assert await messages(notifications) == [
        ("ann@shop.example", "Your order 7 is complete; 2.00 was paid for it."),
    ]


async def test_who_left_no_address_is_told_nothing(notifications: AskedRoom) -> None:
    await hear(notifications, told(WalletIsOpen("queue-saga/bob"), "e1", "queue-saga/bob"))
    assert await messages(notifications, "queue-saga/bob") == []


async def test_last_address_counts(notifications: AskedRoom) -> None:
    await notifications.ask(NoteContact("ann", "old@shop.example"))
    await notifications.ask(NoteContact("ann", "new@shop.example"))
    await hear(notifications, told(WalletIsOpen("ann"), "e1"))
    assert [email for email, _ in await messages(notifications)] == ["new@shop.example"]
