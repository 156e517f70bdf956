"""An order is placed once, also when the database goes away while it is committed."""

from collections.abc import AsyncIterator, Sequence
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
from shop.orders.placing import OrderIntake, Placed, Placing, Result
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


async def placed_once(orders: Orders, key: str, rollback: bool) -> None:
    orders.storage.rollback = rollback
    wanted = orders.placing(key, details="{}")
    orders.storage.lose, orders.storage.away = 1, 3
    placed = await orders.intake.submit(wanted)
    assert isinstance(placed, Placed)
    orders.storage.away = 0
    found = await orders.placed()
    assert len(found) == 1, f"{len(found)} orders for one that was answered"
    assert (placed.order_id, placed.number, found) == (wanted.order_id, 1, [wanted.order_id])


@pytest.mark.parametrize("rollback", [False, True], ids=["it took place", "it did not"])
@pytest.mark.parametrize("key", ["", "k1"], ids=["without key", "with key"])
async def test_order_whose_commit_is_unknown_is_placed_once(orders: Orders, key: str, rollback: bool) -> None:
    await placed_once(orders, key, rollback)


async def taken_for_failed(intake: OrderIntake, placings: Sequence[Placing], _: CommitUnknown) -> list[Result]:
    """Placed once more, as if nothing had been."""
    return await intake._place_once([each._replace(order_id=intake.new_id()) for each in placings])


async def taken_for_done(_intake: OrderIntake, placings: Sequence[Placing], _: CommitUnknown) -> list[Result]:
    return [Placed(each.order_id, b"", number=1) for each in placings]


@pytest.mark.parametrize(
    ("guess", "rollback", "says"), [(taken_for_failed, False, "2 orders"), (taken_for_done, True, "0 orders")]
)
async def test_guess_what_became_of_a_commit_is_noticed(
    orders: Orders, monkeypatch: pytest.MonkeyPatch, guess: object, rollback: bool, says: str
) -> None:
    monkeypatch.setattr(OrderIntake, "_find_out", guess)
    with pytest.raises(AssertionError, match=says):
        await placed_once(orders, "", rollback)


async def test_caller_is_told_when_the_database_stays_away(orders: Orders) -> None:
    orders.storage.lose, orders.storage.away = 1, 100
    with pytest.raises(CommitUnknown):
        await orders.intake.submit(orders.placing("k1"))
    orders.storage.away = 0
    again = await orders.intake.submit(orders.placing("k1"))
    assert isinstance(again, Placed)
    assert again.replayed
    assert await orders.placed() == [again.order_id]
