"""Waiting for an order: told by the watch where its saga is coordinated, by the database anywhere else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.connections import Reader
from amends.errors import Unavailable
from amends.messages import SagaId
from amends.pages import Change
from amends.service import Service
from amends.signals import Signals
from amends.state import Status
from amends.testing.runtime import VirtualRuntime
from shop.app import app
from shop.orders.desk import Placed, Placing
from shop.orders.participant import orders
from shop.orders.waiting import LOOK_EVERY_S, MOVED_AWAY_S
from shop.rooms import open_orders

T = TypeVar("T")

PLACING = Placing(
    key=None,
    fingerprint=b"",
    scope="shop",
    user_id="ann",
    email="ann@example.com",
    wallet_id="ann",
    items=(("apple", 1),),
    calendar="shop",
    slot="2034-05-26T16:00:00Z",
    pay_with="wallet",
    card="",
    price_minor=100,
)


class Alone:
    """Orders, while no other room answers: what was placed stays under way, until `end` does it."""

    def __init__(self, service: Service, runtime: VirtualRuntime, undo: AsyncExitStack) -> None:
        assert service.coordinator is not None
        self.runtime = runtime
        self.coordinator = service.coordinator
        self.storage = service.storage
        self.desk, self.waiting = open_orders(service, undo)

    async def place(self) -> str:
        placed = await self.desk.place(PLACING)
        assert isinstance(placed, Placed)
        return placed.order_id

    async def end(self, order_id: str, told: bool = False) -> None:
        """The saga ends in the database, as another process writes it; the watch here hears of it when `told`."""
        saga = SagaId(order_id)
        async with self.storage.transaction(self.runtime.now()) as tx:
            before = (await self.storage.sagas.load(tx, [saga]))[saga]
            state = msgspec.structs.replace(before.state, status=Status.COMPLETED)
            after = before.moved(state, None)
            await self.storage.sagas.save(tx, [Change(before, after)])
        if told:
            self.coordinator.watch.publish([after])

    async def waits(self, work: Awaitable[T]) -> "asyncio.Future[T]":
        """Begins to wait, and does."""
        waiter = asyncio.ensure_future(work)
        await self.runtime.advance(3.0)
        assert not waiter.done()
        return waiter


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Alone]:
    runtime = VirtualRuntime()
    storage = SqliteStorage(tmp_path / "orders.db", app.databases["orders"])
    await storage.migrate()
    service = Service(storage, InProcess(), runtime, Signals(), participant=orders, definitions=app.sagas["orders"])
    await service.start()
    async with AsyncExitStack() as undo:
        undo.push_async_callback(service.stop)
        yield Alone(service, runtime, undo)


async def test_end_is_told_at_once_where_the_saga_is_coordinated(alone: Alone) -> None:
    order_id = await alone.place()
    waiter = await alone.waits(alone.desk.ended(order_id, 60.0))
    await alone.end(order_id, told=True)
    await alone.runtime.settle()
    found = waiter.result()
    assert found is not None
    assert (found.id, found.saga.state) == (order_id, "completed")


async def test_end_that_another_process_writes_is_seen_soon(alone: Alone) -> None:
    order_id = await alone.place()
    await alone.coordinator.lost([0])
    waiter = await alone.waits(alone.desk.ended(order_id, 60.0))
    await alone.end(order_id)
    await alone.runtime.advance(LOOK_EVERY_S + 0.1)
    assert waiter.done()


async def test_end_is_seen_also_when_another_process_takes_the_saga_over_meanwhile(alone: Alone) -> None:
    order_id = await alone.place()
    waiter = await alone.waits(alone.desk.ended(order_id, 60.0))
    await alone.coordinator.lost([0])
    await alone.end(order_id)
    await alone.runtime.advance(MOVED_AWAY_S + LOOK_EVERY_S + 0.2)
    assert waiter.done()


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
async def test_news_are_what_was_not_seen_and_then_the_end(alone: Alone, here: bool) -> None:
    order_id = await alone.place()
    if not here:
        await alone.coordinator.lost([0])
    first = await alone.desk.news(order_id, -1, 15.0)
    assert first is not None
    assert [entry.what for entry in first.entries] == ["started", "done", "asked", "asked", "asked"]
    assert first.end is None
    waiter = await alone.waits(alone.desk.news(order_id, 4, 15.0))
    await alone.end(order_id, told=here)
    await alone.runtime.advance(LOOK_EVERY_S + 0.1)
    last = waiter.result()
    assert last is not None
    assert last.entries == ()
    assert last.end is not None


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
async def test_who_has_waited_long_enough_is_told_nothing(alone: Alone, here: bool) -> None:
    order_id = await alone.place()
    if not here:
        await alone.coordinator.lost([0])
    waiter = await alone.waits(alone.desk.ended(order_id, 10.0))
    await alone.runtime.advance(7.1)
    assert waiter.result() is None
    assert await alone.desk.ended(order_id, 0.0) is None


@pytest.mark.parametrize("here", [True, False], ids=["here", "elsewhere"])
async def test_closing_shop_lets_go_who_waits(alone: Alone, here: bool) -> None:
    order_id = await alone.place()
    if not here:
        await alone.coordinator.lost([0])
    waiter = await alone.waits(alone.desk.ended(order_id, 60.0))
    alone.waiting.end()
    await alone.runtime.settle()
    with pytest.raises(Unavailable):
        waiter.result()
    with pytest.raises(Unavailable):
        await alone.desk.ended(order_id, 60.0)


async def test_end_of_a_saga_under_way_here_is_not_looked_for_before_it_has_come(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    reading = alone.storage.reading

    def counted() -> AbstractAsyncContextManager[Reader]:
        looks.append("look")
        return reading()

    order_id = await alone.place()
    monkeypatch.setattr(alone.storage, "reading", counted)
    assert await alone.desk.ended(order_id, 0.0) is None
    assert looks == []
    await alone.coordinator.lost([0])
    assert await alone.desk.ended(order_id, 0.0) is None
    assert looks == ["look"]
