"""Fifty clients at once for less than there is for all, where a dialect's own tests have no such crowd.

Those have it: the one courier of `queue-saga`; the last money, and one key, of `idempotent-orders`; the last money,
piece and courier of `two-phase`. One key at the shop's own API: `tests/system/test_races.py`.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from amends.testing.runtime import VirtualRuntime
from tests.shop.desks import AFAR, HERE
from tests.shop.storefronts.conftest import Shop, wanted
from tests.shop.storefronts.parallel_saga import conftest as parallel
from tests.shop.storefronts.pivot_saga import conftest as pivot
from tests.shop.storefronts.test_queue_saga_races import race

MANY, FEW = 50, 7


@pytest.fixture(params=[HERE, AFAR])
async def parallel_shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[parallel.Shop]:
    async with parallel.opened(tmp_path, VirtualRuntime(seed=1), request.param) as opened:
        yield opened


@pytest.fixture(params=[HERE, AFAR])
async def pivot_shop(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[pivot.Shop]:
    async with pivot.opened(tmp_path, VirtualRuntime(seed=1), request.param) as opened:
        yield opened


def apart(**changed: Any) -> list[dict[str, Any]]:
    """Orders for as many different times."""
    return [wanted("ann", dtime=f"2025-01-08 10:{minute:02}:00", **changed) for minute in range(MANY)]


async def test_queue_saga_many_orders_get_the_last_money_as_long_as_it_lasts(shop: Shop) -> None:
    assert await race(shop, *apart(amount=140)) == {"approved": FEW, "insufficient-funds": MANY - FEW}
    balance, [apples], bookings = await shop.state("ann")
    assert (balance, apples["quantity"], len(bookings)) == (20.0, 100 - FEW, FEW)


async def test_queue_saga_many_orders_get_the_last_pieces_as_long_as_they_last(shop: Shop) -> None:
    assert await race(shop, *apart(quntity=14)) == {"approved": FEW, "out-of-stock": MANY - FEW}
    balance, [apples], bookings = await shop.state("ann")
    assert (balance, apples["quantity"], len(bookings)) == (1000.0 - FEW, 2, FEW)


async def test_queue_saga_orders_after_different_things_never_get_more_than_there_is(shop: Shop) -> None:
    """Some win the courier and lose the money; what they held is there for others, or for nobody."""
    times = [wanted("ann", dtime=f"2025-01-08 10:{n % 10:02}:00", amount=140, quntity=9) for n in range(MANY)]
    ends = await race(shop, *times)
    won = ends["approved"]
    assert 1 <= won <= FEW
    balance, [apples], bookings = await shop.state("ann")
    assert (balance, apples["quantity"], len(bookings)) == (1000.0 - 140 * won, 100 - 9 * won, won)
    assert len({each["dtime"] for each in bookings}) == won


async def crowd(shop: parallel.Shop, *contents: dict[str, Any]) -> list[httpx.Response]:
    return await asyncio.gather(*(shop.place(*contents) for _ in range(MANY)))


async def test_parallel_saga_many_orders_get_the_last_pieces_as_long_as_they_last(parallel_shop: parallel.Shop) -> None:
    assert (await parallel_shop.place()).status_code == 200
    await parallel_shop.rooms.warehouse.put_stock({"parallel-saga/phone": 1 + FEW})
    answers = await crowd(parallel_shop)
    assert Counter(each.status_code for each in answers) == {200: FEW, 424: MANY - FEW}
    await parallel_shop.runtime.settle()
    assert await parallel_shop.rows("warehouse", "select reserved from stock where sku = 'parallel-saga/phone'") == [
        (1 + FEW,)
    ]
    assert await parallel_shop.rows("delivery", "select booked from slots where calendar = 'parallel-saga'") == [
        (1 + FEW,)
    ]
    paid = "select count(*) from payments where state = 'captured'"
    assert await parallel_shop.rows("payments", paid) == [(1 + FEW,)]
    assert await parallel_shop.broken() == []


async def test_parallel_saga_many_orders_of_an_unknown_item_stock_it_once(parallel_shop: parallel.Shop) -> None:
    answers = await crowd(parallel_shop, {"item": "unheard of", "amount": 1, "price": 1.0})
    assert Counter(each.status_code for each in answers) == {200: MANY}
    assert len({each.json()[0]["id"] for each in answers}) == MANY
    sql = "select reserved from stock where sku = 'parallel-saga/unheard of'"
    assert await parallel_shop.rows("warehouse", sql) == [(MANY,)]
    assert await parallel_shop.broken() == []


async def test_pivot_saga_many_orders_get_the_last_pieces_as_long_as_they_last(pivot_shop: pivot.Shop) -> None:
    """Every second one names its items the other way round: none waits for one that waits for it."""
    assert (await pivot_shop.order())["status"] == pivot.OK
    await pivot_shop.rooms.warehouse.put_stock({"pivot-saga/10": 2 + 2 * FEW, "pivot-saga/15": 1 + FEW})
    items = pivot.ORDER["items"]
    both = (items, items[::-1])
    answers = await asyncio.gather(*(pivot_shop.place(items=both[n % 2]) for n in range(MANY)))
    numbers = [each.json()["order_id"] for each in answers]
    assert sorted(numbers) == list(range(2, MANY + 2))
    await pivot_shop.runtime.advance(10.0)
    ends = Counter([(await pivot_shop.look(number))["status"] for number in numbers])
    assert ends == {pivot.OK: FEW, pivot.NOT_OK: MANY - FEW}
    assert await pivot_shop.stock() == {"pivot-saga/10": 2 + 2 * FEW, "pivot-saga/15": 1 + FEW}
    assert await pivot_shop.rows("payments", "select count(*) from payments where state = 'captured'") == [(1 + FEW,)]
    assert await pivot_shop.broken() == []
