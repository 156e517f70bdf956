"""The storefront two-phase in a process of its own: its script, and a race, with PostgreSQL and Kafka beneath."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from tests.distributed.running import RunningShop
from tests.system.people import Operator

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

CREATED, POOR = {"success": "Transaction created"}, {"failed": "Not enough balance"}
EMPTY, NOBODY = {"failed": "Warehouse is empty"}, {"failed": "No courier is available"}
BUYERS = 24


async def joined(client: httpx.AsyncClient, balance: int) -> int:
    answer = await client.post("/user", json={"name": "testName", "balance": balance})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


async def buy(client: httpx.AsyncClient, user: int, **changed: int) -> Any:
    body = {"product_name": "p", "balance_change": -10, "warehouse_id": 1, "delivery_hour": 1, **changed}
    answer = await client.post(f"/buy/user/{user}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def balance(client: httpx.AsyncClient, user: int) -> int:
    return int((await client.get(f"/user/{user}")).json()["balance"])


async def script(client: httpx.AsyncClient) -> None:
    """The dialect's own: taken, refused by each participant with nothing changed, taken again."""
    user = await joined(client, 110)
    assert await buy(client, user) == CREATED
    for changed, answer in (
        ({"balance_change": -200}, POOR),
        ({"warehouse_id": 100}, EMPTY),
        ({"delivery_hour": 23}, NOBODY),
    ):
        assert await buy(client, user, **changed) == answer
        assert await balance(client, user) == 100
    assert await buy(client, user) == CREATED
    assert await balance(client, user) == 90


async def test_clients_script_has_its_answers_twice(shop: RunningShop, operator: Operator) -> None:
    async with httpx.AsyncClient(base_url=shop.addresses["two-phase"], timeout=60.0) as client:
        for _ in range(2):
            await script(client)
    await operator.settle()
    await operator.check()


async def test_of_many_purchases_for_the_last_money_one_wins(shop: RunningShop, operator: Operator) -> None:
    async with httpx.AsyncClient(base_url=shop.addresses["two-phase"], timeout=60.0) as client:
        user = await joined(client, 19)
        answers = await asyncio.gather(*(buy(client, user, delivery_hour=n % 18) for n in range(BUYERS)))
        assert Counter(map(str, answers)) == {str(CREATED): 1, str(POOR): BUYERS - 1}
        assert await balance(client, user) == 9
    await operator.settle()
    await operator.check()
