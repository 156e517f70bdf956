"""Many at once at both processes of orders, for less than there is for all: exactly as many win as there is."""

from collections import Counter
from typing import NamedTuple

import pytest

from tests.distributed.running import RunningShop
from tests.system.people import Buyer, Operator, buyers, order_of
from tests.system.rush import BUYERS, MONEY, at_once, ends, furnish, paid

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

PER_PROCESS = 5
Wish = tuple[Buyer, str]


class Sale(NamedTuple):
    """What is sold, and when it is brought."""

    sku: str
    slot: str


async def crowd(shop: RunningShop, name: str) -> list[Wish]:
    """Half of them ask the one process, half the other."""
    users: list[Buyer] = []
    for each in shop.copies:
        users += await buyers(shop.edge(each.name), PER_PROCESS, MONEY, f"{name}-{each.name}-")
    return [(users[number % len(users)], f"wish {number}") for number in range(BUYERS)]


async def rush(shop: RunningShop, sale: Sale, on_hand: int, couriers: int) -> list[Wish]:
    """Everybody's order, acknowledged."""
    await furnish(Operator(shop), on_hand, couriers, sale.sku, sale.slot)
    wishes = await crowd(shop, sale.sku)
    answers = await at_once(wishes, order_of(sale.sku, sale.slot))
    assert Counter(each.status for each in answers) == {202: BUYERS}
    return wishes


async def test_two_hundred_buyers_get_the_last_ten_pieces(shop: RunningShop, operator: Operator) -> None:
    sale = Sale("last", "2034-09-02T08:00:00Z")
    wishes = await rush(shop, sale, on_hand=10, couriers=BUYERS)
    assert await ends(operator, wishes) == {"approved": 10, "out-of-stock": BUYERS - 10}
    assert await paid(wishes) == 10 * 1_000
    assert (await wishes[0][0].products())[sale.sku] == 0
    assert await wishes[0][0].couriers(sale.slot) == BUYERS - 10
    await operator.check()


async def test_two_hundred_buyers_get_the_one_courier(shop: RunningShop, operator: Operator) -> None:
    sale = Sale("heavy", "2034-09-03T08:00:00Z")
    wishes = await rush(shop, sale, on_hand=BUYERS, couriers=1)
    assert await ends(operator, wishes) == {"approved": 1, "no-courier": BUYERS - 1}
    assert await paid(wishes) == 1_000
    assert (await wishes[0][0].products())[sale.sku] == BUYERS - 1
    assert await wishes[0][0].couriers(sale.slot) == 0
    await operator.check()
