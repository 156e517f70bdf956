"""The same order by `place-by-tcc`: what was tried is confirmed, cancelled, or expires by itself."""

from typing import Any

from amends.messages import SagaId
from amends.state import Status
from shop.orders.desk import Placed, Placing
from shop.orders.tcc_saga import DEADLINE_S, STANDS_S, place_by_tcc
from shop.rooms import HOLDING, expiry_of
from tests.shop.storefronts.two_phase.conftest import TODAY, Shop

SLOT = f"{TODAY}T05:00:00Z"
STANDS = (0, {"two-phase/1": 1}, {SLOT: 1})
CANCELLATIONS = {"billing.ReleaseMoney", "warehouse.DropStock", "delivery.DropCourier"}


async def place(shop: Shop, **changed: Any) -> SagaId:
    await shop.rooms.billing.open_wallet("ann", "shop")
    await shop.rooms.billing.deposit("d", "ann", 1000)
    wanted = Placing(
        key=None,
        fingerprint=b"",
        scope="two-phase",
        user_id="ann",
        email="ann@example.org",
        wallet_id="ann",
        items=(("two-phase/1", 1),),
        calendar="two-phase",
        slot=SLOT,
        pay_with="wallet",
        card="",
        prices=(700,),
        saga=place_by_tcc.name,
    )
    placed = await shop.rooms.orders.place(wanted._replace(**changed))
    assert isinstance(placed, Placed)
    await shop.runtime.settle()
    return SagaId(placed.order_id)


async def saga(shop: Shop, id: SagaId) -> tuple[Status, str]:
    storage = shop.services["orders"].storage
    async with storage.reading() as reader:
        state = (await storage.sagas.load(reader, [id]))[id].state
    return state.status, state.cause


async def sweep(shop: Shop) -> int:
    return sum([await expiry_of(shop.services[room]).sweep() for room in HOLDING])


async def test_what_was_tried_is_confirmed_and_stays(shop: Shop) -> None:
    id = await place(shop)
    assert await saga(shop, id) == (Status.COMPLETED, "")
    await shop.runtime.advance(STANDS_S, leap_s=10.0)
    assert await sweep(shop) == 0
    assert await shop.rooms_state() == STANDS
    await shop.check()


async def test_one_refusal_cancels_all_that_was_tried(shop: Shop) -> None:
    id = await place(shop, slot=f"{TODAY}T23:00:00Z")
    assert await saga(shop, id) == (Status.COMPENSATED, "no-courier")
    assert await shop.rooms_state() == (0, {}, {})
    await shop.check()


async def test_what_nobody_confirms_or_cancels_expires_and_a_late_cancellation_finds_nothing(shop: Shop) -> None:
    def lost(message: Any) -> bool:
        return message.type in CANCELLATIONS or (message.sender == "delivery" and message.type == "CourierHeld")

    shop.transport.matches = lost
    id = await place(shop)
    await shop.runtime.advance(DEADLINE_S + 1.0, leap_s=1.0)
    assert (await saga(shop, id))[0] is Status.COMPENSATING
    assert (await sweep(shop), (await shop.rooms_state())[0]) == (0, 700)
    await shop.runtime.advance(STANDS_S - DEADLINE_S, leap_s=5.0)
    assert await sweep(shop) == 3
    assert await shop.rooms_state() == (0, {}, {})
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert (await saga(shop, id))[0] is Status.COMPENSATED
    assert await shop.rooms_state() == (0, {}, {})
    await shop.check()


async def test_confirmation_that_comes_too_late_is_refused_and_its_saga_stuck(shop: Shop) -> None:
    shop.transport.matches = lambda message: message.type == "warehouse.ConfirmStock"
    id = await place(shop)
    async with shop.services["warehouse"].transaction() as tx:
        await tx.run("update held_orders set expires_at = :now", (tx.now,))
    assert await sweep(shop) == 1
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(60.0, leap_s=1.0)
    assert (await saga(shop, id))[0] is Status.STUCK


def test_reservations_stand_for_longer_than_the_saga_and_all_retries_of_its_confirmations() -> None:
    confirm = place_by_tcc.steps[place_by_tcc.index["confirm warehouse"]]
    pauses = sum(confirm.retry.pause_s(attempt, 1.0) for attempt in range(1, confirm.retry.attempts))
    assert DEADLINE_S + confirm.timeout_s * confirm.retry.attempts + pauses < STANDS_S
