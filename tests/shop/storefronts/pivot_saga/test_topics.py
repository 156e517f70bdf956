"""The dialect's topics: as their page shows them, and as they are on Kafka."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message

from amends.adapters.kafka import Kafka
from amends.messages import Envelope, MessageId
from amends.testing.runtime import VirtualRuntime
from shop.serving import TOPICS
from tests.amends.adapters.mock_kafka import MockKafka
from tests.docs.pages import text
from tests.shop.storefronts.pivot_saga.conftest import Shop, opened, topics

PAGE = "docs/reference/pivot-saga-topics.md"
NINE = [
    "orders.service.notification.send",
    "orders.service.notification.status",
    "orders.service.order",
    "orders.service.payment.pay",
    "orders.service.payment.status",
    "orders.service.status",
    "orders.service.warehouse.cancel",
    "orders.service.warehouse.reserv",
    "orders.service.warehouse.status",
]


async def heard_of_three_orders(folder: Path) -> list[Envelope]:
    """One that is good, one whose buyer can't be told, one that can't be paid."""
    async with opened(folder, VirtualRuntime(seed=1)) as shop:
        await shop.order()
        await _break_and_order(shop, "notification")
        await _break_and_order(shop, "payment")
        return list(shop.watcher.heard)


async def _break_and_order(shop: Shop, service: str) -> None:
    await shop.set(service, 100)
    await shop.order()


def test_there_are_nine_and_shop_prepare_makes_them() -> None:
    assert topics() == NINE
    assert set(NINE) <= set(TOPICS)


async def test_page_shows_what_is_sent(tmp_path: Path) -> None:
    heard = await heard_of_three_orders(tmp_path)
    shown = dict(re.findall(r"^```json (\S+)\n(.*?)^```$", text(PAGE), re.DOTALL | re.MULTILINE))
    assert sorted(shown) == NINE
    for topic, lines in shown.items():
        key = "2" if topic.startswith("orders.service.notification") else "3"
        sent = [each.payload.decode() for each in heard if (each.to, each.key) == (topic, key)]
        assert sent == lines.splitlines()
    assert {(each.to, each.type) for each in heard} == set(re.findall(r"^\| `(\S+)` \| `(\S+)` \|", text(PAGE), re.M))


@pytest.fixture
def mock() -> Iterator[MockKafka]:
    cluster = MockKafka()
    cluster.create_topics([f"a.{topic}" for topic in NINE])
    yield cluster
    cluster.close()


async def test_on_kafka_they_have_the_prefix_the_orders_id_as_key_and_json(tmp_path: Path, mock: MockKafka) -> None:
    heard = await heard_of_three_orders(tmp_path)
    taken: list[MessageId] = []
    async with Kafka(mock.settings(prefix="a.")) as kafka:
        await kafka.check(NINE)
        kafka.send(heard, taken.extend)
        records = await asyncio.to_thread(_read, mock, len(heard))
    assert sorted(taken) == sorted(each.id for each in heard)
    read = [(each.topic(), each.key(), each.value()) for each in records]
    assert sorted(read) == sorted((f"a.{each.to}", each.key.encode(), each.payload) for each in heard)
    for key in (b"1", b"2", b"3"):
        for topic in NINE:
            ours = [value for where, whose, value in read if (where, whose) == (f"a.{topic}", key)]
            assert ours == [each.payload for each in heard if (each.to, each.key.encode()) == (topic, key)]
    assert all(dict(each.headers() or [])["content-type"] == b"application/json" for each in records)


def _read(mock: MockKafka, count: int) -> list[Message]:
    """As a client reads them that knows nothing of the shop."""
    settings = {"group.id": "a client", "auto.offset.reset": "earliest", "bootstrap.servers": mock.bootstrap}
    consumer = Consumer({**settings, "fetch.wait.max.ms": 10, "log_level": 0})
    consumer.subscribe([f"a.{topic}" for topic in NINE])
    records: list[Message] = []
    while len(records) < count:
        record = consumer.poll(1.0)
        if record is not None and record.error() is None:
            records.append(record)
    consumer.close()
    return records
