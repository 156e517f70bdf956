"""Products of a storefront get the next numbers, each once, whoever registers them at the same time."""

import asyncio

from amends import Tx
from shop.orders.participant import orders as participant
from shop.orders.tables import MIGRATIONS, Product, add_product, next_product, products, put_product
from tests.shop.conftest import OpenRoom


async def register(tx: Tx, title: str) -> int:
    number = await next_product(tx, "s")
    await add_product(tx, Product(f"s/{number}", title, 0), "s")
    return number


async def test_products_registered_at_the_same_time_wait_for_each_other(open_room: OpenRoom) -> None:
    orders = await open_room(participant, MIGRATIONS)
    numbers = await asyncio.gather(*(orders.do(register, f"pear {n}") for n in range(30)))
    assert sorted(numbers) == list(range(1, 31))
    assert len(await orders.see(products, "s")) == 30


async def test_numbers_go_on_behind_products_that_were_counted(open_room: OpenRoom) -> None:
    before = await open_room(participant, MIGRATIONS[:4])
    await before.do(put_product, Product("s/1", "Pear", 0), "s")
    await before.do(put_product, Product("apple", "Apple", 100), "shop")
    orders = await open_room(participant, MIGRATIONS)
    assert await orders.do(register, "Plum") == 2
