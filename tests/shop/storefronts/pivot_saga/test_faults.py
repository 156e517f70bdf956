"""Each way to break a room, with orders that end consistently all the same."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from amends.faults import Fault
from amends.testing.runtime import VirtualRuntime
from shop.orders.pivot_saga import place_with_pivot
from tests.shop.storefronts.pivot_saga.conftest import NOT_OK, OK, ROOMS, SERVICES, Shop, opened

KINDS = [
    Fault(refuse=50),
    Fault(slow_ms=1500),
    Fault(late_s=7.0),
    Fault(lose=50),
    Fault(twice=100),
    Fault(down_s=8.0),
    Fault(refuse=20, slow_ms=100, late_s=1.0, lose=20, twice=50, down_s=3.0),
]


@pytest.fixture
async def shop(tmp_path: Path) -> Any:
    async with opened(tmp_path, VirtualRuntime(seed=1)) as found:
        yield found


@pytest.mark.parametrize("fault", KINDS, ids=str)
@pytest.mark.parametrize("service", SERVICES)
async def test_broken_room_leaves_orders_whole_or_undone(shop: Shop, service: str, fault: Fault) -> None:
    await shop.rooms.faults[ROOMS[service]].put(fault)
    numbers = [(await shop.place()).json()["order_id"] for _ in range(8)]
    await shop.runtime.advance(300.0, leap_s=0.5)
    ended = Counter([(await shop.look(number))["status"] for number in numbers])
    assert set(ended) <= {OK, NOT_OK}, ended
    assert await shop.broken() == []
    assert await shop.stock() == ({"pivot-saga/10": 2 * ended[OK], "pivot-saga/15": ended[OK]} if ended[OK] else {})
    captured = await shop.rows("payments", "select count(*) from payments where state = 'captured'")
    assert captured == [(ended[OK],)]
    for number in numbers:
        assert [each["status"] for each in shop.watcher.of("status", number)][-1] in (OK, NOT_OK)
        assert len(shop.watcher.of("status", number)) == 3


async def test_half_of_the_operations_fails_when_half_is_asked_for(shop: Shop) -> None:
    await shop.set("payment", 50)
    numbers = [(await shop.place()).json()["order_id"] for _ in range(40)]
    await shop.runtime.advance(10.0)
    ended = Counter([(await shop.look(number))["status"] for number in numbers])
    assert 5 < ended[OK] < 35


async def test_set_changes_only_what_this_storefronts_orders_ask_for(shop: Shop) -> None:
    await shop.set("warehouse", 100)
    shown = await shop.rooms.faults["warehouse"].shown()
    assert shown == [Fault(refuse=100, saga=place_with_pivot.name)]
    await shop.rooms.faults["warehouse"].put(Fault(lose=1))
    await shop.set("warehouse", 0)
    assert await shop.rooms.faults["warehouse"].shown() == [Fault(lose=1)]
