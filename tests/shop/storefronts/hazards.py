"""Scenarios of the storefronts: what holds whatever dialect is spoken, each held to account again without its rule.

every message comes twice
    queue_saga_twice, parallel_saga_twice, pivot_saga_twice, idempotent_orders_twice, two_phase_twice
the shop was replaced by another process on the same folder
    replaced_shop_takes_no_order, commands_of_a_replaced_shop_are_not_carried_out
after the pivot only forward
    slow_pivot_is_waited_for
the decision is logged before anybody is asked to commit
    logged_decision_is_carried_out, logged_confirmation_is_carried_out
all vote first
    nothing_is_committed_before_all_have_voted
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import msgspec

from amends.faults import Fault
from amends.messages import Envelope, Kind, Operation, SagaId
from amends.service import Service
from amends.state import Status
from amends.testing.faults import Losing
from amends.testing.runtime import EPOCH, VirtualRuntime
from shop.audit import CHECKS
from shop.payments.audit import audit as audit_cards
from tests.shop.desks import HERE
from tests.shop.storefronts import conftest as queue
from tests.shop.storefronts.idempotent_orders import conftest as idempotent
from tests.shop.storefronts.idempotent_orders import test_script as idempotent_script
from tests.shop.storefronts.parallel_saga import conftest as parallel
from tests.shop.storefronts.parallel_saga import test_script as parallel_script
from tests.shop.storefronts.pivot_saga import conftest as pivot
from tests.shop.storefronts.pivot_saga import test_script as pivot_script
from tests.shop.storefronts.test_queue_saga_script import BEFORE_LUNCH, ENDS
from tests.shop.storefronts.test_queue_saga_script import run_script as run_queue_script
from tests.shop.storefronts.two_phase import conftest as two_phase
from tests.shop.storefronts.two_phase import test_script as two_phase_script
from tests.shop.storefronts.two_phase.test_tcc import place as place_by_reservations
from tests.shop.storefronts.two_phase.test_tcc import saga as saga_of

LATER = EPOCH + 5.0
PATIENCE_S = 300.0
LATE_IS_DONE = "an action was carried out after its compensation"
AGAIN_IS_DONE = "an action that was undone was carried out again"


async def in_time(runtime: VirtualRuntime, work: Coroutine[Any, Any, None]) -> None:
    """Lets time pass until it is done; what is never answered fails."""
    task = asyncio.ensure_future(work)
    end = runtime.now() + PATIENCE_S
    while not task.done() and runtime.now() < end:
        await runtime.advance(0.5, leap_s=0.5)
    if not task.done():
        task.cancel()
        await asyncio.wait([task])
        raise AssertionError("the script has never come to its end")
    task.result()


async def queue_saga_twice(folder: Path) -> None:
    async with queue.opened(folder, VirtualRuntime(seed=1), HERE, twice=True) as shop:

        async def script() -> None:
            assert await run_queue_script(shop, BEFORE_LUNCH) == ENDS
            await check(shop)

        await in_time(shop.runtime, script())
        await nothing_was_done_again(shop.services)


async def parallel_saga_twice(folder: Path) -> None:
    async with parallel.opened(folder, VirtualRuntime(seed=1), HERE, twice=True) as shop:
        await in_time(shop.runtime, parallel_script.run_script(shop))
        assert await shop.broken() == []
        await nothing_was_done_again(shop.services)


async def pivot_saga_twice(folder: Path) -> None:
    async with pivot.opened(folder, VirtualRuntime(seed=1), twice=True) as shop:

        async def script() -> None:
            assert await pivot_script.run_script(shop) == [1, 2, 3, 4]

        await in_time(shop.runtime, script())
        await nothing_was_done_again(shop.services)


async def idempotent_orders_twice(folder: Path) -> None:
    async with idempotent.opened(folder, VirtualRuntime(seed=1), HERE, twice=True) as shop:

        async def script() -> None:
            await idempotent_script.run_script(shop, "ann@example.org")

        await in_time(shop.runtime, script())
        assert await shop.broken() == []
        await nothing_was_done_again(shop.services)


async def two_phase_twice(folder: Path) -> None:
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE, twice=True) as shop:
        await in_time(shop.runtime, two_phase_script.run_script(shop))
        await shop.check()
        await nothing_was_done_again(shop.services)


async def nothing_was_done_again(services: dict[str, Service]) -> None:
    """Tables of the rooms would stand against that: a command that fails on them waits for its next try."""
    for room, service in services.items():
        async with service.storage.reading() as reader:
            failed = await service.storage.parking.all(reader, limit=10)
        again = [(each.envelope.type, each.error) for each in failed]
        assert not again, f"{room} has done again what came twice: {again}"


async def check(shop: queue.Shop) -> None:
    """Everything adds up, in and across the rooms, of which none is paid by card."""
    async with AsyncExitStack() as stack:
        storages = {name: each.storage for name, each in shop.services.items()}
        readers = {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}
        findings = [each for found in CHECKS if found is not audit_cards for each in await found(readers)]
    broken = [each.name for each in findings if not each.holds]
    assert not broken, f"broken: {broken}"


class Held(Protocol):
    """A shop whose messages a test can hold up."""

    @property
    def transport(self) -> Losing: ...
    @property
    def runtime(self) -> VirtualRuntime: ...


class Delayed:
    """Keeps commands of one type on their way, and lets them come when everything is over."""

    def __init__(self, shop: Held, type: str) -> None:
        self._shop = shop
        self._type = type
        self._late: list[Envelope] = []
        shop.transport.matches = self._holds

    def _holds(self, message: Envelope) -> bool:
        if message.type != self._type:
            return False
        self._late.append(message)
        return True

    async def come(self) -> None:
        """Before the deadline of its saga: after that nobody would carry it out anyway."""
        assert self._late
        self._shop.transport.matches = lambda _: False
        self._shop.transport.send(self._late, lambda _: None)
        await self._shop.runtime.advance(5.0, leap_s=0.5)


class Repeated:
    """Lets everything pass, and lets commands of these types come once more when everything is over."""

    def __init__(self, shop: Held, *types: str) -> None:
        self._shop = shop
        self._types = types
        self._passed: list[Envelope] = []
        shop.transport.matches = self._notes

    def _notes(self, message: Envelope) -> bool:
        if message.type in self._types:
            self._passed.append(message)
        return False

    async def come(self) -> None:
        assert {each.type for each in self._passed} == {*self._types}
        self._shop.transport.matches = lambda _: False
        self._shop.transport.send(self._passed, lambda _: None)
        await self._shop.runtime.settle()


async def queue_saga_late(folder: Path) -> None:
    async with queue.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        await furnish(shop)
        before = await shop.state("ann")
        delayed = Delayed(shop, "warehouse.ReserveStock")
        assert (await shop.post("/orders/", **queue.wanted("ann"))).status_code == 200
        await shop.runtime.advance(20.0, leap_s=0.5)
        assert (await shop.answer("/orders/last"))["status"] == "Not enough position quantity"
        await delayed.come()
        after = await shop.state("ann")
        assert after == before, f"{LATE_IS_DONE}: {after}"
        await check(shop)


async def queue_saga_again(folder: Path) -> None:
    async with queue.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        await furnish(shop)
        assert (await shop.order("ann"))["status"] == "Delivery Succes"
        before = await shop.state("ann")
        repeated = Repeated(shop, "warehouse.ReserveStock")
        assert (await shop.order("ann"))["status"] == "Delivery Error"
        await repeated.come()
        after = await shop.state("ann")
        assert after == before, f"{AGAIN_IS_DONE}: {after}"
        await check(shop)


async def parallel_saga_late(folder: Path) -> None:
    async with parallel.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        delayed = Delayed(shop, "warehouse.ReserveStock")
        answer = await shop.place_in_time()
        assert answer.status_code in (424, 503), answer.text
        await shop.runtime.advance(8.0, leap_s=0.5)
        await delayed.come()
        reserved = await shop.rows("warehouse", "select order_id from reservations")
        assert reserved == [], f"{LATE_IS_DONE}: {reserved}"
        assert await shop.broken() == []


async def parallel_saga_again(folder: Path) -> None:
    async with parallel.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        repeated = Repeated(shop, "warehouse.ReserveStock")
        assert (await shop.place_in_time(at=parallel.LONG_AGO)).status_code == 424
        await repeated.come()
        reserved = await shop.rows("warehouse", "select order_id from reservations")
        assert reserved == [], f"{AGAIN_IS_DONE}: {reserved}"
        assert await shop.broken() == []


async def pivot_saga_late(folder: Path) -> None:
    async with pivot.opened(folder, VirtualRuntime(seed=1)) as shop:
        delayed = Delayed(shop, "warehouse.ReserveItems")
        number = (await shop.place()).json()["order_id"]
        await shop.runtime.advance(20.0, leap_s=0.5)
        assert (await shop.look(number))["status"] == pivot.NOT_OK
        await delayed.come()
        reserved = await shop.stock()
        assert reserved == {}, f"{LATE_IS_DONE}: {reserved}"
        assert await shop.broken() == []


async def pivot_saga_again(folder: Path) -> None:
    async with pivot.opened(folder, VirtualRuntime(seed=1)) as shop:
        repeated = Repeated(shop, "warehouse.ReserveItems")
        await shop.set("payment", 100)
        assert (await shop.order())["status"] == pivot.NOT_OK
        await repeated.come()
        reserved = await shop.stock()
        assert reserved == {}, f"{AGAIN_IS_DONE}: {reserved}"
        assert await shop.broken() == []


async def idempotent_orders_again(folder: Path) -> None:
    """Money that is paid back stays so: what would complete the order comes while the rest of it is being undone."""
    async with idempotent.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        ann = await shop.guest.join()
        assert (await ann.transact("charge", 1_000)).status_code == 201
        passed: list[Envelope] = []

        def unanswered(message: Envelope) -> bool:
            if message.type == "orders.CompleteOrder":
                passed.append(message)
                return len(passed) > 1
            answer = message.kind is Kind.REPLY and message.operation is Operation.ACTION
            return message.type == "billing.ReturnMoney" or (answer and message.step == "complete order")

        shop.transport.matches = unanswered
        await shop.in_time(ann.order("k"))
        await shop.runtime.advance(70.0, leap_s=0.5)
        assert await shop.rows("orders", "select status from orders") == [("pending",)]
        shop.transport.matches = lambda message: message.type == "billing.ReturnMoney"
        shop.transport.send(passed[:1], lambda _: None)
        await shop.runtime.settle()
        status = await shop.rows("orders", "select status from orders")
        assert status == [("pending",)], f"{AGAIN_IS_DONE}: {status}"
        shop.transport.matches = lambda _: False
        await shop.runtime.advance(120.0, leap_s=1.0)
        assert (await ann.order("k")).json()["status"] == "refunded"
        assert (await ann.balance(), await shop.broken()) == (1_000, [])


async def idempotent_orders_late(folder: Path) -> None:
    async with idempotent.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        ann = await shop.guest.join()
        assert (await ann.transact("charge", 1_000)).status_code == 201
        delayed = Delayed(shop, "billing.TakeMoney")
        await shop.in_time(ann.order("k"))
        await shop.runtime.advance(10.0, leap_s=0.5)
        assert (await ann.order("k")).json()["status"] == "cancelled"
        await delayed.come()
        balance = await ann.balance()
        assert balance == 1_000, f"{LATE_IS_DONE}: {balance}"
        assert await shop.broken() == []


async def two_phase_late(folder: Path) -> None:
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        user = await shop.user(110)
        delayed = Delayed(shop, "warehouse.HoldStock")
        assert (await shop.later(shop.ask(user), 20.0)).status_code == 503
        await delayed.come()
        state = await shop.rooms_state()
        assert state == (0, {}, {}), f"{LATE_IS_DONE}: {state}"
        assert await shop.balance(user) == 110
        await shop.check()


async def two_phase_again(folder: Path) -> None:
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        user = await shop.user(110)
        repeated = Repeated(shop, "warehouse.HoldStock")
        assert await shop.buy(user, delivery_hour=23) == two_phase.NO_COURIER
        await shop.runtime.settle()
        await repeated.come()
        state = await shop.rooms_state()
        assert state == (0, {}, {}), f"{AGAIN_IS_DONE}: {state}"
        assert await shop.balance(user) == 110
        await shop.check()


async def furnish(shop: queue.Shop) -> None:
    await shop.client.post("/billing/register?login=ann")
    await shop.post("/billing/refill", login="ann", balance=1000)
    await shop.post("/stock/register", description="apple", quantity=100)


async def replaced_shop_takes_no_order(folder: Path) -> None:
    """Its process was frozen and wakes up when another one has taken over."""
    async with queue.opened(folder, VirtualRuntime(seed=1), HERE) as zombie:
        await furnish(zombie)
        async with queue.opened(folder, VirtualRuntime(seed=2, now=LATER), HERE) as successor:
            answer = await zombie.post("/orders/", **queue.wanted("ann"))
            assert answer.status_code >= 500, "a replaced shop has taken an order"
            async with successor.services["orders"].storage.reading() as reader:
                assert await reader.fetch("select id from orders") == []
            assert (await successor.order("ann"))["status"] == "Delivery Succes"


async def commands_of_a_replaced_shop_are_not_carried_out(folder: Path) -> None:
    """They were on their way for long; the successor has asked for everything itself."""
    late: list[Envelope] = []

    def to_rooms(message: Envelope) -> bool:
        if message.kind is Kind.COMMAND:
            late.append(msgspec.structs.replace(message, saga=SagaId(f"{message.saga}9"), key=f"{message.key}9"))
        return message.kind is Kind.COMMAND

    async with queue.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        await furnish(shop)
        shop.transport.matches = to_rooms
        assert (await shop.order("ann"))["status"] == "Pending"
        shop.runtime.kill()
    async with queue.opened(folder, VirtualRuntime(seed=2, now=LATER), HERE) as shop:
        await shop.runtime.settle()
        before = await shop.state("ann")
        assert (before[0], before[1][0]["quantity"], len(before[2])) == (999.0, 99, 1), before
        shop.transport.send(late, lambda _: None)
        await shop.runtime.settle()
        for room in ("billing", "warehouse", "delivery"):
            async with shop.services[room].storage.reading() as reader:
                strays = await reader.fetch("select step from inbox where length(saga) > 36")
                assert strays == [], "a zombie's command was carried out"
        assert await shop.state("ann") == before


async def slow_pivot_is_waited_for(folder: Path) -> None:
    """The money was taken and the answer is lost, for longer than the order's deadline: it is good in the end."""
    async with pivot.opened(folder, VirtualRuntime(seed=1)) as shop:
        await shop.rooms.faults["payments"].put(Fault(lose=100))
        number = int((await shop.place()).json()["order_id"])
        await shop.runtime.advance(60.0, leap_s=0.5)
        paid = await shop.rows("payments", "select state from payments")
        assert paid == [("captured",)], paid
        stock = await shop.stock()
        assert stock == {"pivot-saga/10": 2, "pivot-saga/15": 1}, f"undone after its pivot: {stock}"
        await shop.rooms.faults["payments"].put(Fault())
        await shop.runtime.advance(60.0, leap_s=0.5)
        ended = await shop.look(number)
        assert ended["status"] == pivot.OK, ended["detail"]
        assert await shop.broken() == []


async def logged_decision_is_carried_out(folder: Path) -> None:
    """The warehouse has committed when the manager dies; afterwards delivery's vote is never heard again."""
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        user = await shop.user(110)
        shop.transport.matches = lambda message: message.type == "delivery.ConfirmCourier"
        asked = asyncio.ensure_future(shop.ask(user))
        await shop.runtime.advance(1.0, leap_s=0.1)
        shop.runtime.kill()
        asked.cancel()
        await asyncio.wait([asked])
    async with two_phase.opened(folder, VirtualRuntime(seed=1, now=LATER), HERE, _vote_of_delivery) as shop:
        await shop.runtime.advance(120.0, leap_s=1.0)
        assert await shop.balance(user) == 100, "a decision that was carried out is forgotten"
        assert await shop.rooms_state() == (0, {"two-phase/1": 1}, {f"{two_phase.TODAY}T01:00:00Z": 1})
        await shop.check()


async def logged_confirmation_is_carried_out(folder: Path) -> None:
    """The same by reservations."""
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        shop.transport.matches = lambda message: message.type == "delivery.ConfirmCourier"
        id = await place_by_reservations(shop)
        shop.runtime.kill()
    async with two_phase.opened(folder, VirtualRuntime(seed=1, now=LATER), HERE, _vote_of_delivery) as shop:
        await shop.runtime.advance(120.0, leap_s=1.0)
        ended = await saga_of(shop, id)
        assert ended == (Status.COMPLETED, ""), f"a decision that was carried out is forgotten: {ended}"
        await shop.check()


def _vote_of_delivery(message: Envelope) -> bool:
    return message.sender == "delivery" and message.type == "CourierHeld"


async def nothing_is_committed_before_all_have_voted(folder: Path) -> None:
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE, _vote_of_delivery) as shop:
        user = await shop.user(110)
        asked = asyncio.ensure_future(shop.ask(user))
        await shop.runtime.advance(1.0, leap_s=0.1)
        held, _, _ = await shop.rooms_state()
        assert held == 1000, "committed before all had voted"
        async with shop.services["warehouse"].storage.reading() as reader:
            assert len(await reader.fetch("select order_id from held_orders")) == 1, "committed before all had voted"
        shop.transport.matches = lambda _: False
        await shop.runtime.advance(30.0, leap_s=0.5)
        assert (await asked).json() == two_phase.CREATED
        assert await shop.balance(user) == 100
        await shop.check()


TWICE = [queue_saga_twice, parallel_saga_twice, pivot_saga_twice, idempotent_orders_twice, two_phase_twice]
SCENARIOS = [
    queue_saga_again,
    parallel_saga_again,
    pivot_saga_again,
    idempotent_orders_again,
    two_phase_again,
    queue_saga_late,
    parallel_saga_late,
    pivot_saga_late,
    idempotent_orders_late,
    two_phase_late,
    replaced_shop_takes_no_order,
    commands_of_a_replaced_shop_are_not_carried_out,
    slow_pivot_is_waited_for,
    logged_decision_is_carried_out,
    logged_confirmation_is_carried_out,
    nothing_is_committed_before_all_have_voted,
]
