"""The storefront pivot-saga with a process for each service: faults on request, and Kafka tells of every order."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from confluent_kafka import Consumer

from tests.distributed.running import RunningShop, eventually
from tests.system.people import Operator

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

ORDER: dict[str, Any] = {
    "order_id": 0,
    "user_id": 2,
    "payment": 1,
    "notification": 1,
    "created_at": "2024-01-30T21:35:12.123456789+03:00",
    "approved_at": "2024-01-30T21:35:12.123456789+03:00",
    "sum": 10000,
    "items": [{"item_id": 10, "quantity": 2, "price": 45}, {"item_id": 15, "quantity": 1, "price": 10}],
    "status": 1,
    "detail": "",
}
PREFIX = "orders.service."


@pytest_asyncio.fixture(loop_scope="session")
async def client(shop: RunningShop) -> AsyncIterator[httpx.AsyncClient]:
    """Whatever was set is taken back afterwards."""
    async with httpx.AsyncClient(timeout=60.0) as client:
        yield client
        for service in ("payment", "notification"):
            await fail(shop, client, service, 0)


async def fail(shop: RunningShop, client: httpx.AsyncClient, service: str, mistakes: int) -> None:
    answer = await client.post(f"{shop.addresses[f'pivot-saga/{service}']}/set", json={"mistakes": mistakes})
    assert (answer.status_code, answer.json()) == (200, {"mistakes": mistakes}), answer.text


async def order(shop: RunningShop, client: httpx.AsyncClient) -> dict[str, Any]:
    """An order that has ended."""
    edge = shop.addresses["pivot-saga"]
    placed = await client.post(f"{edge}/neworder", json=ORDER)
    assert placed.status_code == 200, placed.text
    url = f"{edge}/order/{placed.json()['order_id']}"

    async def is_over() -> bool:
        return bool((await client.get(url)).json()["status"] > 2)

    await eventually(is_over)
    found: dict[str, Any] = (await client.get(url)).json()
    return found


async def test_script_comes_out_as_documented_and_kafka_tells_of_it(
    shop: RunningShop, client: httpx.AsyncClient, operator: Operator
) -> None:
    """The warehouse has two processes here, of which a switch reaches one: it is left alone."""
    refused = "not OK, refused-by-fault"
    good = await order(shop, client)
    assert (good["status"], good["detail"]) == (3, "warehouse: OK; payment: OK; notification: OK")
    await fail(shop, client, "notification", 100)
    unheard = await order(shop, client)
    assert (unheard["status"], unheard["detail"]) == (3, f"warehouse: OK; payment: OK; notification: {refused}")
    await fail(shop, client, "payment", 100)
    unpaid = await order(shop, client)
    told = f"warehouse: OK, cancelled; payment: {refused}; notification: not asked"
    assert (unpaid["status"], unpaid["detail"]) == (4, told)
    heard = await asyncio.to_thread(read, shop.servers.kafka.bootstrap, {good["order_id"], unpaid["order_id"]})
    assert heard[good["order_id"], "status"] == [1, 2, 3]
    assert heard[good["order_id"], "payment.status"] == [1, 2]
    assert heard[good["order_id"], "notification.status"] == [1, 2]
    assert heard[unpaid["order_id"], "status"] == [1, 2, 4]
    assert heard[unpaid["order_id"], "payment.status"] == [1, 3]
    assert heard[unpaid["order_id"], "warehouse.status"] == [1, 2, 1, 2]
    await operator.settle()
    await operator.check()


def read(bootstrap: str, orders: set[int]) -> dict[tuple[int, str], list[int]]:
    """The statuses told of each order on each topic, once the end of each was told; a message that came twice once."""
    consumer = Consumer({"group.id": "a client", "auto.offset.reset": "earliest", "bootstrap.servers": bootstrap})
    consumer.subscribe([f"{PREFIX}{name}" for name in TOPICS])
    heard: dict[tuple[int, str], list[int]] = {}
    seen: set[object] = set()
    while not _over(heard, orders):
        record = consumer.poll(60.0)
        assert record is not None
        assert record.error() is None, record.error()
        id = dict(record.headers() or [])["ce_id"]
        body = json.loads(record.value() or b"")
        assert (record.key() or b"").decode() == str(body["order_id"])
        if id not in seen:
            topic = (record.topic() or "").removeprefix(PREFIX)
            heard.setdefault((body["order_id"], topic), []).append(body["status"])
        seen.add(id)
    consumer.close()
    return heard


TOPICS = ("status", "warehouse.status", "payment.status", "notification.status")
"""The topics that are looked at."""


def _over(heard: dict[tuple[int, str], list[int]], orders: set[int]) -> bool:
    """Every topic has a partition of its own for an order: its last words may come in any order."""
    told = {topic: [heard.get((id, topic), []) for id in orders] for topic in TOPICS}
    ends = all(3 in each or 4 in each for each in told["status"])
    warehouse = sorted(map(len, told["warehouse.status"])) == [2, 4]
    payment = all(len(each) == 2 for each in told["payment.status"])
    return ends and warehouse and payment and any(len(each) == 2 for each in told["notification.status"])
