"""An order is placed once, also when the database goes away while it is committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.connections import Reader, Tx
from amends.errors import CommitUnknown, Unavailable
from amends.pages import KeyScope
from amends.service import Service
from amends.signals import Signals
from shop.orders import tables
from shop.orders.placing import OrderIntake, Placed, Placing
from shop.orders.sagas import cancel_order, place_order
from shop.orders.tables import Product


class Runtime(AsyncioRuntime):
    """Pauses take no time."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(0)


class Shaky(SqliteStorage):
    """`lose`: how many of the next commits take place, and say that the connection was lost; `away`: readers fail."""

    lose = 0
    away = 0
    rollback = False

    def transaction(self, now: float) -> Any:
        return self._shaken(now)

    def reading(self) -> Any:
        return self._looked()

    @asynccontextmanager
    async def _shaken(self, now: float) -> AsyncIterator[Tx]:
        lost, self.lose = self.lose > 0, max(0, self.lose - 1)
        async with super().transaction(now) as tx:
            yield tx
            if lost and self.rollback:
                raise CommitUnknown("the connection was lost")
        if lost:
            raise CommitUnknown("the connection was lost")

    @asynccontextmanager
    async def _looked(self) -> AsyncIterator[Reader]:
        if self.away:
            self.away -= 1
            raise Unavailable("connection refused")
        async with super().reading() as reader:
            yield reader


class Orders:
    def __init__(self, storage: Shaky) -> None:
        self.storage = storage
        self.service = Service(storage, InProcess(), Runtime(), Signals(), definitions=[place_order, cancel_order])
        self.intake = OrderIntake(self.service)

    def placing(self, key: str = "", details: str | None = None) -> Placing:
        return Placing(
            key=KeyScope("ann", "POST", "/api/orders", key) if key else None,
            fingerprint=b"f",
            scope="shop",
            user_id="ann",
            email="ann@shop.example",
            wallet_id="ann",
            items=(("apple", 1),),
            calendar="shop",
            slot="2034-05-26T16:00:00Z",
            pay_with="wallet",
            card="",
            details=details,
            order_id=self.intake.new_id(),
        )

    async def placed(self) -> list[str]:
        async with self.storage.reading() as reader:
            return [row[0] for row in await reader.fetch("select id from orders order by id")]


@pytest.fixture
async def orders(tmp_path: Path) -> AsyncIterator[Orders]:
    storage = Shaky(tmp_path / "orders.db", tables.MIGRATIONS)
    await storage.migrate()
    orders = Orders(storage)
    await orders.service.start()
    async with storage.transaction(0.0) as tx:
        await tables.put_product(tx, Product("apple", "Apple", 100))
    orders.intake.start("intake")
    yield orders
    await orders.intake.stop()
    await orders.service.stop()


@pytest.mark.parametrize("rollback", [False, True], ids=["it took place", "it did not"])
@pytest.mark.parametrize("key", ["", "k1"], ids=["without key", "with key"])
async def test_order_whose_commit_is_unknown_is_placed_once(orders: Orders, key: str, rollback: bool) -> None:
    orders.storage.rollback = rollback
    wanted = orders.placing(key, details="{}")
    orders.storage.lose, orders.storage.away = 1, 3
    placed = await orders.intake.submit(wanted)
    assert isinstance(placed, Placed)
    assert (placed.order_id, placed.number) == (wanted.order_id, 1)
    assert await orders.placed() == [wanted.order_id]


async def test_caller_is_told_when_the_database_stays_away(orders: Orders) -> None:
    orders.storage.lose, orders.storage.away = 1, 100
    with pytest.raises(CommitUnknown):
        await orders.intake.submit(orders.placing("k1"))
    orders.storage.away = 0
    again = await orders.intake.submit(orders.placing("k1"))
    assert isinstance(again, Placed)
    assert again.replayed
    assert await orders.placed() == [again.order_id]
