"""Payments through the room, the caller and the gateway: each test number, each thing that goes wrong."""

import asyncio
from pathlib import Path

import pytest

from amends.timers import TICK_S
from shop.payments.caller import CallerSettings
from shop.payments.contract import AuthorizeCard, CaptureCard, RefundCard, VoidCard
from shop.payments.gateway import GatewaySettings
from shop.payments.gateway_wire import APPROVED, DECLINED, LATE, LOST, SLOW
from tests.mortal import MortalRuntime
from tests.shop.payments.card_room import (
    CardRoom,
    GatewayServer,
    audited,
    held_minor,
    holds,
)


async def authorized(room: CardRoom, payment_id: str = "p", card: str = APPROVED) -> None:
    room.ask(AuthorizeCard(payment_id, card, 500), payment_id)
    assert await room.replies(1) == ["CardAuthorized"]


@pytest.mark.parametrize("card", [APPROVED, SLOW, LATE, LOST], ids=["approved", "slow", "late", "lost"])
async def test_card_is_authorized_and_the_money_held_once(room: CardRoom, gateway: GatewayServer, card: str) -> None:
    await authorized(room, card=card)
    assert await room.state("p") == await gateway.state("p") == "authorized"
    assert await held_minor(room, gateway) == 500
    assert await holds(room, gateway)


@pytest.mark.parametrize("card", [DECLINED, "1234567890123456"], ids=["declined", "unknown"])
async def test_declined_card_is_refused(room: CardRoom, gateway: GatewayServer, card: str) -> None:
    room.ask(AuthorizeCard("p", card, 500), "p")
    assert await room.replies(1) == ["CardDeclined"]
    assert await room.state("p") == await gateway.state("p") == "declined"
    assert await holds(room, gateway)


@pytest.mark.parametrize(("card", "amount_minor"), [("tok en", 500), ("", 500), (APPROVED, 0), (APPROVED, -5)])
async def test_nonsense_is_declined_without_a_call(
    room: CardRoom, gateway: GatewayServer, card: str, amount_minor: int
) -> None:
    room.ask(AuthorizeCard("p", card, amount_minor), "p")
    assert await room.replies(1) == ["CardDeclined"]
    assert gateway.requests == []


async def test_database_that_is_away_for_a_moment_ends_no_calls(room: CardRoom, gateway: GatewayServer) -> None:
    room.storage.away = 3
    await room.until(lambda name, _: name == "chore.failed")
    await authorized(room)
    assert await holds(room, gateway)


async def test_lost_answer_is_found_by_asking_for_the_status(room: CardRoom, gateway: GatewayServer) -> None:
    await authorized(room, card=LOST)
    assert gateway.requests == ["POST /authorizations", "GET /authorizations/p"]


async def test_answer_after_the_deadline_is_found_by_asking_for_the_status(
    room: CardRoom, gateway: GatewayServer
) -> None:
    await authorized(room, card=LATE)
    assert gateway.requests == ["POST /authorizations", "GET /authorizations/p"]


async def test_captured_money_is_refunded(room: CardRoom, gateway: GatewayServer) -> None:
    await authorized(room)
    room.ask(CaptureCard("p"), "p", step="capture money")
    assert await room.replies(1) == ["CardCaptured"]
    assert await gateway.state("p") == "captured"
    room.ask(RefundCard("p"), "cancel", step="refund money")
    assert await room.replies(1) == ["CardRefunded"]
    assert await gateway.state("p") == "refunded"
    assert await holds(room, gateway)


async def test_voided_payment_holds_nothing_and_can_not_be_captured(room: CardRoom, gateway: GatewayServer) -> None:
    await authorized(room)
    room.ask(VoidCard("p"), "p", undo=True)
    assert await room.replies(1) == ["CardVoided"]
    room.ask(CaptureCard("p"), "p", step="capture money")
    assert await room.replies(1) == ["AuthorizationGone"]
    assert await gateway.state("p") == "voided"
    assert await holds(room, gateway)


async def test_operations_of_one_payment_run_in_the_order_in_which_they_were_asked(
    room: CardRoom, gateway: GatewayServer
) -> None:
    room.ask(AuthorizeCard("p", SLOW, 500), "p")
    room.ask(CaptureCard("p"), "p", step="capture money")
    room.ask(RefundCard("p"), "p", step="refund money")
    assert await room.replies(3) == ["CardAuthorized", "CardCaptured", "CardRefunded"]
    assert await gateway.state("p") == "refunded"


async def test_void_before_its_authorization_buries_it(room: CardRoom, gateway: GatewayServer) -> None:
    room.ask(VoidCard("p"), "p", undo=True)
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    assert await room.replies(2) == ["Done", "AlreadyCompensated"]
    assert gateway.requests == []


async def test_void_of_a_payment_never_seen_refuses_its_authorization(room: CardRoom, gateway: GatewayServer) -> None:
    room.ask(VoidCard("p"), "p", step="void")
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    assert await room.replies(2) == ["CardVoided", "AuthorizationGone"]
    assert gateway.requests == []
    assert await holds(room, gateway)


async def test_void_wins_over_an_authorization_in_flight(room: CardRoom, gateway: GatewayServer) -> None:
    """The call for the late card is under way when the saga's patience ends."""
    room.ask(AuthorizeCard("p", LATE, 500), "p")
    await gateway.asked()
    room.ask(VoidCard("p"), "p", undo=True)
    assert (await room.replies(2))[-1] == "CardVoided"
    assert await room.state("p") == await gateway.state("p") == "voided"
    assert await held_minor(room, gateway) == 0
    assert await holds(room, gateway)


async def test_void_wins_over_an_authorization_that_was_never_called(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, gateway.url)
    await room.start(calling=False)
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    room.ask(VoidCard("p"), "p", undo=True)
    await room.until(lambda name, fields: name == "participant.hop")
    room.caller.start("payments")
    assert await room.replies(2) == ["AuthorizationGone", "CardVoided"]
    assert gateway.requests == ["POST /authorizations/p/void"]
    assert await holds(room, gateway)
    await room.stop()


async def test_void_wins_over_an_authorization_whose_gateway_was_away(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, "http://127.0.0.1:1")
    await room.start()
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    await room.until(lambda name, fields: name == "card.unknown")
    room.ask(VoidCard("p"), "p", undo=True)
    await room.until(lambda name, fields: name == "card.unknown" and fields["wish"] == "void")
    await room.kill()
    again = CardRoom(tmp_path, gateway.url)
    await again.start()
    assert await again.replies(2) == ["AuthorizationGone", "CardVoided"]
    assert await holds(again, gateway)
    await again.stop()


async def test_duplicates_are_answered_once_and_called_once(room: CardRoom, gateway: GatewayServer) -> None:
    for _ in range(3):
        room.ask(AuthorizeCard("p", SLOW, 500), "p")
    assert await room.replies(1) == ["CardAuthorized"]
    room.ask(AuthorizeCard("p", SLOW, 500), "p")
    assert await room.replies(1) == ["CardAuthorized"]
    assert gateway.requests == ["POST /authorizations"]


async def test_same_payment_asked_by_two_sagas_is_called_once(room: CardRoom, gateway: GatewayServer) -> None:
    for saga in ("one", "two"):
        room.ask(AuthorizeCard("p", SLOW, 500), saga)
    assert await room.replies(2) == ["CardAuthorized", "CardAuthorized"]
    assert gateway.requests == ["POST /authorizations"]


async def test_payment_id_of_another_payment_is_refused(room: CardRoom, gateway: GatewayServer) -> None:
    await authorized(room)
    room.ask(AuthorizeCard("p", APPROVED, 501), "other")
    assert await room.replies(1) == ["AuthorizationGone"]
    assert await held_minor(room, gateway) == 500


@pytest.mark.parametrize("wish", [CaptureCard("p"), RefundCard("p")])
async def test_payment_never_seen_is_gone(room: CardRoom, wish: CaptureCard | RefundCard) -> None:
    room.ask(wish, "p")
    assert await room.replies(1) == ["AuthorizationGone"]


async def test_card_number_is_kept_only_until_the_answer_is_known(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, gateway.url)
    await room.start(calling=False)
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    await room.until(lambda name, fields: name == "participant.hop")
    assert await cards_kept(room) == [APPROVED]
    room.caller.start("payments")
    await room.replies(1)
    assert await cards_kept(room) == []
    await room.stop()


async def test_commit_wakes_the_caller_without_a_tick(tmp_path: Path, gateway: GatewayServer) -> None:
    class NoTicks(MortalRuntime):
        async def sleep(self, seconds: float) -> None:
            await (asyncio.Event().wait() if seconds == TICK_S else super().sleep(seconds))

    room = CardRoom(tmp_path, gateway.url, runtime=NoTicks())
    await room.start()
    await authorized(room)
    await room.stop()


async def test_noted_operation_survives_a_crash_before_its_call(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, gateway.url)
    await room.start(calling=False)
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    await room.until(lambda name, fields: name == "participant.hop")
    await room.kill()
    again = CardRoom(tmp_path, gateway.url)
    await again.start()
    assert await again.replies(1) == ["CardAuthorized"]
    assert await holds(again, gateway)
    await again.stop()


async def test_crash_in_the_middle_of_a_call_takes_the_money_once(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, gateway.url)
    await room.start()
    room.ask(AuthorizeCard("p", LATE, 500), "p")
    await gateway.asked()
    await room.kill()
    again = CardRoom(tmp_path, gateway.url)
    await again.start()
    assert await again.replies(1) == ["CardAuthorized"]
    assert await held_minor(again, gateway) == 500
    await again.stop()


async def test_stop_does_not_wait_for_calls_in_flight(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, gateway.url, CallerSettings())
    await room.start()
    for n in range(50):
        room.ask(AuthorizeCard(f"p{n}", LATE, 500), f"p{n}")
    await gateway.asked()
    async with asyncio.timeout(1.0):
        await room.stop()
    assert gateway.requests.count("POST /authorizations") <= CallerSettings().at_once


async def test_no_more_calls_at_once_than_set(tmp_path: Path, gateway: GatewayServer) -> None:
    room = CardRoom(tmp_path, gateway.url, CallerSettings(at_once=3))
    await room.start()
    for n in range(9):
        room.ask(AuthorizeCard(f"p{n}", SLOW, 500), f"p{n}")
    assert await room.replies(9) == ["CardAuthorized"] * 9
    assert gateway.most == 3
    await room.stop()


async def test_every_operation_ends_with_a_flaky_gateway(tmp_path: Path) -> None:
    gateway = GatewayServer(tmp_path, GatewaySettings(flaky=0.5))
    await gateway.start()
    room = CardRoom(tmp_path, gateway.url)
    await room.start()
    for n in range(40):
        room.ask(AuthorizeCard(f"p{n}", DECLINED if n % 4 == 0 else APPROVED, 500), f"p{n}")
    await room.replies(40)
    for n in range(40):
        undo = n % 4 == 1
        room.ask(VoidCard(f"p{n}") if undo else CaptureCard(f"p{n}"), f"p{n}", step="after", undo=False)
    assert sorted(await room.replies(40)) == ["AuthorizationGone"] * 10 + ["CardCaptured"] * 20 + ["CardVoided"] * 10
    agree, money = await audited(room, gateway)
    assert agree.holds
    assert agree.figures["in_flight"] == 0
    assert money.holds
    assert money.figures["gateway_captured_minor"] == 20 * 500
    await room.stop()
    await gateway.stop()


async def cards_kept(room: CardRoom) -> list[str]:
    async with room.storage.reading() as reader:
        rows = await reader.fetch("select card from card_operations where card is not null")
        kept = await reader.fetch(
            "select 1 from inbox where instr(payload, :card) > 0 and outcome is not null", (APPROVED,)
        )
    assert kept == []
    return [row[0] for row in rows]
