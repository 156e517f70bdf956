"""Taking an order back at a process that doesn't coordinate its saga."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.pages import KeyScope
from amends.service import Service
from amends.signals import Signals
from amends.testing.runtime import VirtualRuntime
from shop.app import app
from shop.orders import tables
from shop.orders.desk import OrdersDesk, Placed, Placing
from shop.orders.participant import orders
from shop.rooms import open_orders

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


class Room(NamedTuple):
    """Orders, which nobody answers."""

    service: Service
    desk: OrdersDesk
    runtime: VirtualRuntime


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    runtime = VirtualRuntime()
    storage = SqliteStorage(tmp_path / "orders.db", app.databases["orders"])
    await storage.migrate()
    service = Service(storage, InProcess(), runtime, Signals(), participant=orders, definitions=app.sagas["orders"])
    await service.start()
    async with AsyncExitStack() as undo:
        undo.push_async_callback(service.stop)
        yield Room(service, open_orders(service, undo).desk, runtime)


async def test_wish_that_comes_too_late_elsewhere_is_carried_out_after_the_approval(room: Room) -> None:
    """The process that coordinates the saga can't turn it back any more; it doesn't know of the wish otherwise."""
    assert room.service.coordinator is not None
    placed = await room.desk.place(PLACING)
    assert isinstance(placed, Placed)
    await room.service.coordinator.lost([0])
    route = f"/api/orders/{placed.order_id}/cancel"
    answer = await room.desk.cancel(placed.order_id, KeyScope("ann", "POST", route, "one"))
    assert answer is not None
    assert answer.status == 202
    async with room.service.storage.transaction(room.runtime.now()) as tx:
        await tx.run(tables.approve_order, (placed.order_id,))
    await room.service.coordinator.gained([0])
    await room.runtime.advance(0.3)
    assert await room.desk.cancel_saga(placed.order_id) is not None
