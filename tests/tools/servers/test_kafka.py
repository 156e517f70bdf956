"""Kafka, and Connect with Debezium's connector: killed, restarted, with their data."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Message, Producer

from tests.servers import PostgresServer, fresh_database, require
from tools.servers import Connect, Kafka, ServerFailed, TcpProxy, missing_for_kafka, outbox_connector, running
from tools.servers.fetch import OUTBOX

CONSUME_S = 30

pytestmark = pytest.mark.servers


def produce(kafka: Kafka, topic: str, *values: str) -> None:
    """Return when the broker has them."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "enable.idempotence": True, "log_level": 0})
    for value in values:
        producer.produce(topic, value.encode())
    assert producer.flush(30) == 0


def consume(kafka: Kafka, topic: str, count: int) -> list[Message]:
    """The first messages of a topic, once they are there; fewer if they don't come."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "group.id": uuid4().hex,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "topic.metadata.refresh.interval.ms": 500,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    try:
        return list(itertools.islice(messages(consumer), count))
    finally:
        consumer.close()


def messages(consumer: Consumer) -> Iterator[Message]:
    """What comes, without complaints about a topic that is not there yet."""
    deadline = time.monotonic() + CONSUME_S
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and not message.error():
            yield message


def values(found: list[Message]) -> list[str]:
    return [(message.value() or b"").decode() for message in found]


async def test_killed_broker_keeps_its_messages_and_its_port(tmp_path: Path) -> None:
    require(missing_for_kafka())
    kafka = Kafka(tmp_path)
    async with running(kafka):
        bootstrap = kafka.bootstrap
        await kafka.create_topics({"orders": 1, "payments": 3})
        await asyncio.to_thread(produce, kafka, "orders", "one", "two")

        await kafka.kill()
        await kafka.start()
        await asyncio.to_thread(produce, kafka, "orders", "three")

        found = await asyncio.to_thread(consume, kafka, "orders", 3)
        assert values(found) == ["one", "two", "three"]
        assert kafka.bootstrap == bootstrap


async def test_client_comes_back_through_the_proxy_that_the_broker_names(tmp_path: Path) -> None:
    require(missing_for_kafka())
    kafka = Kafka(tmp_path)
    proxy = TcpProxy(kafka.port)
    kafka.advertised_port = proxy.port
    async with running(proxy, kafka):
        await kafka.create_topics({"orders": 1})
        await proxy.cut()
        producing = asyncio.create_task(asyncio.to_thread(produce, kafka, "orders", "one"))
        done, _ = await asyncio.wait([producing], timeout=0.5)
        assert not done

        await proxy.heal()
        await producing

        assert values(await asyncio.to_thread(consume, kafka, "orders", 1)) == ["one"]


async def test_connector_delivers_outbox_rows_also_after_a_crash(
    postgres_server: PostgresServer, kafka_server: Kafka, connect_server: Connect
) -> None:
    postgres = await postgres_server(15)
    async with fresh_database(postgres) as dsn:
        database = dsn.rpartition("/")[2]
        await postgres.run(OUTBOX, database=database)
        await connect_server.put_connector("outbox", outbox_connector(postgres, database))
        await connect_server.wait_running("outbox")
        await postgres.wait_for_slot(f"{database}_outbox")
        insert = "insert into outbox values ($1, 'order', 'o-1', 'OrderPlaced', $2)"
        first, second = uuid4(), uuid4()

        await postgres.run(insert, first, '{"n": 1}', database=database)
        await connect_server.kill()
        await postgres.run(insert, second, '{"n": 2}', database=database)
        await connect_server.start()

        found = await asyncio.to_thread(consume, kafka_server, "outbox.event.order", 2)
        await connect_server.delete_connector("outbox")
    assert values(found) == ['{"n": 1}', '{"n": 2}']
    assert [message.key() for message in found] == [b"o-1", b"o-1"]
    assert [dict(message.headers() or [])["id"] for message in found] == [str(first).encode(), str(second).encode()]
    assert [dict(message.headers() or [])["eventType"] for message in found] == [b"OrderPlaced"] * 2


async def test_connector_without_its_database_says_why(
    postgres_server: PostgresServer, connect_server: Connect
) -> None:
    postgres = await postgres_server(16)

    with pytest.raises(ServerFailed, match=r"(?s)answered with 400.*nowhere.* does not exist"):
        await connect_server.put_connector("lost", outbox_connector(postgres, "nowhere"))
    assert await connect_server.status("lost") is None
