"""Records as they are on Kafka, for comparison byte for byte."""

import asyncio
import time
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from amends.adapters.kafka import KafkaSettings

PATIENCE_S = 30.0


class Record(NamedTuple):
    """Headers that are empty are left out: they mean the default."""

    partition: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


async def read_records(settings: KafkaSettings, address: str, partitions: int, count: int) -> list[Message]:
    """The first ones of a topic, each partition in its order."""
    return await asyncio.to_thread(_read, settings, address, partitions, count)


def record_of(message: Message) -> Record:
    pairs = dict(message.headers() or []).items()
    headers = {name: value.encode() if isinstance(value, str) else value for name, value in pairs if value}
    return Record(message.partition() or 0, message.key(), message.value(), headers)


def _read(settings: KafkaSettings, address: str, partitions: int, count: int) -> list[Message]:
    consumer = Consumer(settings.consumer("records"))
    topic = settings.topic(address)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)])
    try:
        return _first(consumer, count)
    finally:
        consumer.close()


def _first(consumer: Consumer, count: int) -> list[Message]:
    found: list[Message] = []
    until = time.monotonic() + PATIENCE_S
    while len(found) < count and time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
    assert len(found) == count, f"{len(found)} of {count} records came within {PATIENCE_S:g} s"
    return sorted(found, key=lambda message: (message.partition() or 0, message.offset() or 0))
