"""Many at once, over real connections, for less than there is for all: exactly as many win as there is."""

import asyncio
from collections import Counter
from random import Random

from tests.system.people import Buyer, Operator, buyers, order_of, until
from tests.system.rush import BUYERS, MONEY, SLOT, at_once, crowd, ends, furnish, paid
from tests.system.shop_process import ShopProcess


async def test_two_hundred_buyers_get_the_last_ten_pieces(shop: ShopProcess, operator: Operator) -> None:
    await furnish(operator, on_hand=10, couriers=BUYERS)
    wishes = await crowd(shop)
    answers = await at_once(wishes, order_of("lamp", SLOT))
    assert Counter(each.status for each in answers) == {202: BUYERS}
    assert await ends(operator, wishes) == {"approved": 10, "out-of-stock": BUYERS - 10}
    assert await paid(wishes) == 10 * 1_000
    assert (await wishes[0][0].products())["lamp"] == 0
    assert await wishes[0][0].couriers(SLOT) == BUYERS - 10
    await operator.check()


async def test_two_hundred_buyers_get_the_one_courier(shop: ShopProcess, operator: Operator) -> None:
    await furnish(operator, on_hand=BUYERS, couriers=1)
    wishes = await crowd(shop)
    await at_once(wishes, order_of("lamp", SLOT))
    assert await ends(operator, wishes) == {"approved": 1, "no-courier": BUYERS - 1}
    assert await paid(wishes) == 1_000
    assert (await wishes[0][0].products())["lamp"] == BUYERS - 1
    assert await wishes[0][0].couriers(SLOT) == 0
    await operator.check()


async def test_one_key_from_fifty_connections_is_one_order(shop: ShopProcess, operator: Operator) -> None:
    await furnish(operator, on_hand=100, couriers=100)
    [buyer] = await buyers(shop, 1, MONEY)
    answers = await at_once([(buyer, "one wish")] * 50, order_of("lamp", SLOT))
    assert Counter(each.status for each in answers) == {202: 50}
    assert len({each.json()["id"] for each in answers}) == 1
    assert len({each.headers["location"] for each in answers}) == 1
    assert sum("idempotent-replayed" not in each.headers for each in answers) == 1
    assert await ends(operator, [(buyer, "")]) == {"approved": 1}
    assert await paid([(buyer, "")]) == 1_000


async def test_one_key_for_fifty_different_orders_is_one_order(shop: ShopProcess, operator: Operator) -> None:
    await furnish(operator, on_hand=10_000, couriers=100)
    [buyer] = await buyers(shop, 1, MONEY)
    gathered = await asyncio.gather(
        *(buyer.ask("POST", "/api/orders", order_of("lamp", SLOT, count), key="one") for count in range(1, 51))
    )
    assert Counter(each.status for each in gathered) == {202: 1, 422: 49}
    assert {each.problem for each in gathered if each.status == 422} == {"key-reused"}
    assert await ends(operator, [(buyer, "")]) == {"approved": 1}


async def test_twenty_orders_get_the_last_money_for_three(shop: ShopProcess, operator: Operator) -> None:
    await furnish(operator, on_hand=100, couriers=100)
    [buyer] = await buyers(shop, 1, 3_999)
    await at_once([(buyer, f"wish {number}") for number in range(20)], order_of("lamp", SLOT))
    assert await ends(operator, [(buyer, "")]) == {"approved": 3, "insufficient-funds": 17}
    wallet = await buyer.wallet()
    assert (wallet["balance_minor"], wallet["held_minor"]) == (999, 0)
    assert (await buyer.products())["lamp"] == 97
    assert await buyer.couriers(SLOT) == 97
    await operator.check()


async def test_deposit_under_one_key_from_fifty_connections_is_one(shop: ShopProcess, operator: Operator) -> None:
    [buyer] = await buyers(shop, 1)
    body = {"amount_minor": 700}
    answers = await asyncio.gather(*(buyer.ask("POST", "/api/wallet/deposits", body, key="one") for _ in range(50)))
    assert Counter(each.status for each in answers) == {201: 50}
    assert len({each.json()["id"] for each in answers}) == 1
    assert (await buyer.wallet())["balance_minor"] == 700


async def test_cancelling_while_orders_are_placed_gives_everything_back(shop: ShopProcess, operator: Operator) -> None:
    await furnish(operator, on_hand=100, couriers=100)
    users = await buyers(shop, 4, MONEY)
    chance = Random(7)

    async def place_and_cancel(number: int) -> None:
        buyer = users[number % len(users)]
        placed = await buyer.ask("POST", "/api/orders", order_of("lamp", SLOT), key=f"wish {number}")
        await asyncio.sleep(chance.random() / 50)
        path = f"/api/orders/{placed.json()['id']}/cancel"
        cancelled = await asyncio.gather(*(buyer.ask("POST", path, key=f"cancel {number}") for _ in range(3)))
        assert {each.status for each in cancelled} == {202}

    await asyncio.gather(*(place_and_cancel(number) for number in range(60)))
    await wait_until_cancelled(users)
    wishes = [(each, "") for each in users]
    assert await ends(operator, wishes) == {"cancelled": 60}
    assert await paid(wishes) == 0
    assert (await users[0].products())["lamp"] == 100
    assert await users[0].couriers(SLOT) == 100
    await operator.check()


async def wait_until_cancelled(users: list[Buyer]) -> None:
    """A wish to cancel waits for the approval of an order that is past its pivot."""

    async def all_are() -> bool:
        return {order["status"] for each in users for order in await each.orders()} == {"cancelled"}

    await until(all_are)
