"""The clients' script, as two-phase.md tells it."""

import asyncio

import pytest

from tests.shop.storefronts.two_phase.conftest import (
    CREATED,
    NO_COURIER,
    NO_MONEY,
    NO_STOCK,
    OpenShop,
    Shop,
    wanted,
)


async def run_script(shop: Shop) -> None:
    user = await shop.user(110)
    assert await shop.buy(user) == CREATED
    assert await shop.balance(user) == 100
    after = await shop.rooms_state()
    for changed, answer in (
        ({"balance_change": -200}, NO_MONEY),
        ({"warehouse_id": 100}, NO_STOCK),
        ({"delivery_hour": 23}, NO_COURIER),
    ):
        assert await shop.buy(user, **changed) == answer
        assert await shop.balance(user) == 100
        assert await shop.rooms_state() == after
    assert await shop.buy(user) == CREATED
    assert await shop.balance(user) == 90


async def test_script_runs_twice_and_again_after_a_restart(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await run_script(shop)
        await run_script(shop)
        await shop.check()
    async with open_shop() as shop:
        await run_script(shop)
        assert (await shop.rooms_state())[1] == {"two-phase/1": 6}, "a restart resets no stock"
        await shop.check()


async def test_answers_have_the_documented_shapes(shop: Shop) -> None:
    made = await shop.client.post("/user", json={"name": "testName", "balance": 110})
    assert (made.status_code, made.text) == (200, '{"id":1,"name":"testName","balance":110}')
    again = await shop.client.post("/user", json={"name": "testName", "balance": 0})
    assert again.json() == {"id": 2, "name": "testName", "balance": 0}
    bought = await shop.ask(1)
    assert (bought.status_code, bought.text) == (200, '{"success":"Transaction created"}')
    refused = await shop.ask(1, warehouse_id=0)
    assert (refused.status_code, refused.text) == (200, '{"failed":"Warehouse is empty"}')
    assert (await shop.client.get("/user/1")).json() == {"id": 1, "name": "testName", "balance": 100}
    assert (await shop.client.get("/user/2")).json()["balance"] == 0


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"balance_change": -200, "warehouse_id": 100, "delivery_hour": 23}, NO_MONEY),
        ({"balance_change": -200, "delivery_hour": 23}, NO_MONEY),
        ({"warehouse_id": 100, "delivery_hour": 23}, NO_STOCK),
    ],
)
async def test_first_of_several_faults_is_named(shop: Shop, changed: dict[str, int], answer: dict[str, str]) -> None:
    user = await shop.user()
    assert await shop.buy(user, **changed) == answer
    assert await shop.rooms_state() == (0, {}, {})


async def test_warehouses_one_to_nine_have_stock_and_couriers_come_until_seventeen(shop: Shop) -> None:
    user = await shop.user(1000)
    for number in (*range(1, 10), 0, 10, -1, 10**9, -(10**9)):
        assert await shop.buy(user, warehouse_id=number) == (CREATED if 1 <= number <= 9 else NO_STOCK)
    for hour in (*range(18), 18, 23, 24, 100, -1, 10**9, -(10**9)):
        assert await shop.buy(user, delivery_hour=hour) == (CREATED if 0 <= hour <= 17 else NO_COURIER)
    assert await shop.balance(user) == 1000 - 10 * 9 - 10 * 18
    await shop.check()


async def test_stock_and_couriers_are_counted_as_the_contract_says(shop: Shop) -> None:
    await shop.buy(await shop.user())
    skus = [f"two-phase/{number}" for number in range(1, 10)]
    assert await shop.rooms.warehouse.available(skus) == dict.fromkeys(skus, 1_000_000) | {skus[0]: 999_999}
    [slot] = (await shop.rooms.delivery.slots("two-phase", "2033-05-18")).values()
    assert (slot.couriers, slot.booked) == (100_000, 1)


async def test_money_that_is_merely_held_is_in_the_balance_and_cannot_be_spent(shop: Shop) -> None:
    """Until all have voted."""
    user = await shop.user(110)
    shop.transport.matches = lambda message: message.to == "delivery"
    asked = asyncio.ensure_future(shop.ask(user, balance_change=-100))
    await shop.runtime.advance(4.0, leap_s=0.5)
    assert await shop.balance(user) == 110
    assert (await shop.rooms_state())[0] == 100_00
    shop.transport.matches = lambda message: message.type == "delivery.HoldCourier"
    poor = await shop.later(shop.ask(user, balance_change=-11, warehouse_id=100, delivery_hour=23), 11.0)
    assert poor.json() == NO_MONEY
    assert (await asked).status_code == 503


async def test_balance_is_lower_only_when_all_others_have_committed(shop: Shop) -> None:
    user = await shop.user(110)
    shop.transport.matches = lambda message: message.type == "delivery.ConfirmCourier"
    assert (await shop.later(shop.ask(user), 11.0)).status_code == 503
    assert await shop.balance(user) == 110
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert await shop.balance(user) == 100
    await shop.check()


@pytest.mark.parametrize("silent", ["billing", "warehouse", "delivery"])
async def test_purchase_on_which_somebody_does_not_vote_is_rolled_back_and_has_no_outcome(
    shop: Shop, silent: str
) -> None:
    user = await shop.user()
    votes = {"billing.HoldMoney", "warehouse.HoldStock", "delivery.HoldCourier"}
    shop.transport.matches = lambda message: message.to == silent and message.type in votes
    assert (await shop.later(shop.ask(user), 40.0)).status_code == 503
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(60.0, leap_s=1.0)
    assert await shop.balance(user) == 110
    assert await shop.rooms_state() == (0, {}, {})
    await shop.check()


async def test_refusal_is_no_answer_when_somebody_before_it_has_not_voted(shop: Shop) -> None:
    """It may not be the first fault."""
    user = await shop.user()
    shop.transport.matches = lambda message: message.type == "billing.HoldMoney"
    answer = await shop.later(shop.ask(user, warehouse_id=100), 10.0)
    assert answer.status_code == 503
    shop.transport.matches = lambda message: message.type == "delivery.HoldCourier"
    answer = await shop.later(shop.ask(user, warehouse_id=100), 10.0)
    assert answer.json() == NO_STOCK


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_json_body_is_read_whatever_its_content_type_says(shop: Shop, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await shop.client.post("/user", content=b'{"name":"ann","balance":7}', headers=headers)
    assert (answer.status_code, answer.json()["balance"]) == (200, 7)


async def test_start_balance_is_paid_in_once_and_waits_for_no_wallet(shop: Shop) -> None:
    shop.transport.matches = lambda message: message.type == "billing.OpenWallet"
    made = shop.client.post("/user", json={"name": "ann", "balance": 50})
    answer = await shop.later(made, 6.0)
    assert answer.status_code == 200
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(60.0, leap_s=1.0)
    assert await shop.balance(answer.json()["id"]) == 50


async def test_details_of_a_purchase_are_kept_under_its_number(shop: Shop) -> None:
    await shop.buy(await shop.user(), product_name="a lamp")
    found = await shop.rooms.orders.numbered_order("two-phase", 1)
    assert found is not None
    assert (found.details, found.order.total_minor) == ('{"product_name":"a lamp"}', 1000)
    assert wanted()["product_name"] == "p"
