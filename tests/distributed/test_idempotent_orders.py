"""The storefront idempotent-orders in a process of its own: one key, many at once, PostgreSQL and Kafka beneath."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.distributed.running import RunningShop, eventually
from tests.system.people import Operator

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

MANY = 50
USER = {"phone": "1", "first_name": "Ann", "last_name": "Lee", "password": "secret"}
ORDER = {"items": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1}]}


async def joined(client: httpx.AsyncClient, email: str, amount: int) -> int:
    """The account of a new user, who has so much and whose token is sent from then on."""
    answer = await client.post("/register/", json={**USER, "email": email})
    assert answer.status_code == 201, answer.text
    client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    account = (await client.get("/account/")).json()
    charge = {"account_id": account["id"], "type": "charge", "amount": amount, "currency": "USD"}
    assert (await client.post("/balance_transactions/", json=charge)).status_code == 201
    return int(account["id"])


async def place(client: httpx.AsyncClient, key: str) -> tuple[int, Any]:
    answer = await client.post("/orders/", json=ORDER, headers={"X-Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["status"]


async def test_many_posts_with_one_key_are_one_order_that_is_told_of(shop: RunningShop, operator: Operator) -> None:
    async with httpx.AsyncClient(base_url=shop.addresses["idempotent-orders"], timeout=60.0) as client:
        await joined(client, "one-key@example.org", 10_000)
        answers = await asyncio.gather(*(place(client, "k") for _ in range(MANY)))
        assert set(answers) == {(answers[0][0], "complete")}
        assert (await client.get("/account/")).json()["balance"] == 9_800

    async def told() -> bool:
        count = "select count(*) from notifications where email = $1 and message like 'Your order % is complete%'"
        return bool(await shop.value("notifications", count, "one-key@example.org"))

    await eventually(told)
    await operator.settle()
    await operator.check()


async def test_orders_for_the_last_money_are_as_many_as_can_be_paid(shop: RunningShop, operator: Operator) -> None:
    async with httpx.AsyncClient(base_url=shop.addresses["idempotent-orders"], timeout=60.0) as client:
        await joined(client, "last-money@example.org", 500)
        ended = await asyncio.gather(*(place(client, f"k{n}") for n in range(6)))
        await operator.settle()
        assert sorted(status for _, status in ended) == ["cancelled"] * 4 + ["complete"] * 2
        assert (await client.get("/account/")).json()["balance"] == 100
    await operator.check()
