"""What a capture sends and what the relay sends are the same records: partition, key, value, headers."""

from collections.abc import Callable, Sequence

import msgspec
import pytest
from confluent_kafka import Message

from amends.adapters.kafka import Kafka, KafkaSettings, create_topics
from amends.adapters.kafka.records import read
from amends.conformance.fixtures import NOW, envelope, event
from amends.messages import Envelope
from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.records import Record, read_records, record_of
from tests.amends.cdc.town import ADDRESSES, PARTITIONS, Town

pytestmark = pytest.mark.servers

servers = fixtures.servers
town = fixtures.town

TEXTS = ['{"name":"Zoë \\u0000 😀"}', '{ "spaced" : [1.0, 1e3] }', "{}", '{"text":"' + "a" * 100_000 + '"}']
KEYS = ["", " ", "Zoë", "😀", "a/b", "x" * 300, *[f"key-{number}" for number in range(60)]]


def examples(new_id: Callable[[], str]) -> list[Envelope]:
    """Every field filled, and none; every kind of key and payload that may come."""
    full = [msgspec.structs.replace(envelope(new_id(), to="bank"), key=key, saga=key, at=NOW + 0.1) for key in KEYS]
    plain = [event(new_id(), key=key, topic="bank") for key in KEYS]
    texts = [msgspec.structs.replace(event(new_id(), topic="bank"), payload=text.encode()) for text in TEXTS]
    return [*full, *plain, *texts]


async def relayed(settings: KafkaSettings, messages: Sequence[Envelope]) -> None:
    async with Kafka(settings) as kafka:
        kafka.send(messages, lambda _: None)


async def test_capture_and_relay_send_the_same(town: Town) -> None:
    messages = examples(town.runtime.new_id)
    other = msgspec.structs.replace(town.settings, prefix=f"relayed.{town.settings.prefix}")
    await create_topics(other, ADDRESSES, PARTITIONS)
    storage = town.services["bank"].storage
    await town.services["bank"].stop()

    async with storage.transaction(NOW) as tx:
        await storage.outbox.insert(tx, messages)
    await relayed(other, messages)
    captured = await read_records(town.settings, "bank", PARTITIONS, len(messages))
    sent = await read_records(other, "bank", PARTITIONS, len(messages))

    assert [without_id(each) for each in captured] == list(map(record_of, sent))
    assert [read(each, "bank") for each in captured] == [read(each, "bank") for each in sent]
    assert {read(each, "bank").id: read(each, "bank") for each in captured} == {each.id: each for each in messages}
    assert len({each.partition() for each in captured}) == PARTITIONS


def without_id(message: Message) -> Record:
    """Debezium adds a header of its own: the row's id."""
    record = record_of(message)
    assert record.headers.pop("id") == record.headers["ce_id"]
    return record
