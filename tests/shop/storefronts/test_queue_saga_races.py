"""Orders that are after the same scarce thing at the same time: exactly as many win as there is."""

import asyncio
from collections import Counter
from typing import Any

from shop.orders.domain import Status
from shop.orders.tables import load
from tests.shop.storefronts.conftest import Shop, wanted


async def race(shop: Shop, *orders: dict[str, Any]) -> Counter[str]:
    """Places orders at the same time; returns how many ended in which status and for which reason."""
    answers = await asyncio.gather(*(shop.post("/orders/", **each) for each in orders))
    assert [answer.status_code for answer in answers] == [200] * len(orders)
    assert len({answer.json()["id"] for answer in answers}) == len(orders)
    await shop.runtime.settle()
    async with shop.services["orders"].storage.reading() as reader:
        ids = [row[0] for row in await reader.fetch("select order_id from order_numbers")]
        ended = (await load(reader, ids)).values()
    return Counter(each.reason or each.status.value for each in ended)


def at(hour: int, **changed: Any) -> dict[str, Any]:
    return wanted("ann", dtime=f"2025-01-08 {hour:02}:00:00", **changed)


async def test_of_two_orders_for_one_time_exactly_one_wins(shop: Shop) -> None:
    assert await race(shop, at(10), at(10)) == {Status.APPROVED: 1, "no-courier": 1}
    balance, stock, bookings = await shop.state("ann")
    assert (balance, stock[0]["quantity"], len(bookings)) == (999.0, 99, 1)


async def test_of_two_orders_for_the_last_money_exactly_one_wins(shop: Shop) -> None:
    assert await race(shop, at(10, amount=600), at(11, amount=600)) == {Status.APPROVED: 1, "insufficient-funds": 1}
    balance, stock, bookings = await shop.state("ann")
    assert (balance, stock[0]["quantity"], len(bookings)) == (400.0, 99, 1)


async def test_of_two_orders_for_the_last_pieces_exactly_one_wins(shop: Shop) -> None:
    assert await race(shop, at(10, quntity=60), at(11, quntity=60)) == {Status.APPROVED: 1, "out-of-stock": 1}
    balance, stock, bookings = await shop.state("ann")
    assert (balance, stock[0]["quantity"], len(bookings)) == (999.0, 40, 1)


async def test_many_orders_for_one_time_leave_one_booking(shop: Shop) -> None:
    assert await race(shop, *[at(10)] * 50) == {Status.APPROVED: 1, "no-courier": 49}
    assert await shop.state("ann") == (
        999.0,
        [{"id": 1, "description": "apple", "quantity": 99}],
        [{"id": 1, "id_order": 1, "dtime": "2025-01-08T10:00:00"}],
    )


async def test_registrations_of_products_at_the_same_time_get_different_ids(shop: Shop) -> None:
    answers = await asyncio.gather(
        *(shop.post("/stock/register", description=f"pear {n}", quantity=n) for n in range(20))
    )
    assert sorted(answer.json()["id"] for answer in answers) == list(range(2, 22))
    assert {each["description"]: each["quantity"] for each in await shop.answer("/stock")} == (
        {"apple": 100} | {f"pear {n}": n for n in range(20)}
    )
