"""The thread that reads: bounded in what it takes in, and back when its consumer broke."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest
from confluent_kafka import Message

from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.kafka.claims import weight
from amends.adapters.kafka.reader import Reader
from amends.adapters.kafka.troubles import Troubles
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ids, ignore, received
from amends.messages import Envelope
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_listening import Heard, Remembered, Takings, WatchedOwner
from tests.amends.adapters.mock_kafka import PARTITIONS

addresses = kafka_clusters.addresses
mock = kafka_clusters.mock
settings = kafka_clusters.settings

MIB = 2**20
FULL = 16 * MIB


class Hoard(Remembered):
    """A `Listener` that is done with nothing, until it is told to be."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Message] = []
        self.shards: set[int] = set()
        self.done_with = 0

    def arrived(self, messages: Sequence[Message]) -> None:
        self.messages += messages
        self.grow()

    def gained(self, shards: Sequence[int]) -> None:
        self.shards.update(shards)
        self.grow()

    async def leave(self, shards: Sequence[int]) -> None: ...

    async def lost(self, shards: Sequence[int]) -> None:
        self.shards.difference_update(shards)
        self.grow()

    async def takes_more(self) -> None:
        """It is done with what it has."""
        self.done_with, seen = weight(self.messages), len(self.messages)
        await self.until(lambda: len(self.messages) > seen)

    async def comes_to(self, count: int) -> None:
        """It takes more until it has had so many different ones."""
        while len({(each.partition(), each.offset()) for each in self.messages}) < count:
            await self.takes_more()


def large(count: int) -> list[Envelope]:
    """A tenth of a megabyte each."""
    return [
        msgspec.structs.replace(envelope(f"{number:05}", key=f"k{number}"), payload=bytes(100_000))
        for number in range(count)
    ]


@pytest.fixture
async def hoard(settings: KafkaSettings) -> AsyncIterator[Hoard]:
    """What a reader has taken in that had 60 MB before it."""
    heard, taken, hoard = Heard(), Takings(), Hoard()
    async with Kafka(settings, heard.signals) as kafka:
        kafka.send(large(600), taken)
        await taken.all_of(large(600), 60)
    troubles = Troubles(heard.signals, "hoard")
    reader = Reader(settings.topic("hotel"), settings.group_id("hotel", ""), settings, hoard, troubles)
    reader.start()
    await hoard.until(lambda: weight(hoard.messages) >= FULL)
    yield hoard
    reader.stop()
    assert await reader.stopped(10)


@kafka_clusters.on_a_broker
async def test_reader_takes_in_no_more_than_a_bounded_amount(hoard: Hoard) -> None:
    with pytest.raises(TimeoutError):
        await hoard.until(lambda: weight(hoard.messages) > 3 * FULL, 0.5)
    await hoard.comes_to(600)
    for partition in range(PARTITIONS):
        offsets = [each.offset() for each in hoard.messages if each.partition() == partition]
        assert offsets == list(range(len(offsets)))


@kafka_clusters.on_a_broker
@pytest.mark.parametrize("room", [False, True], ids=["still full", "room by then"])
async def test_partitions_that_leave_a_full_reader_and_come_back_go_on(
    hoard: Hoard, settings: KafkaSettings, room: bool
) -> None:
    async with Kafka(settings) as kafka:
        other = WatchedOwner()
        await kafka.subscribe("hotel").open(other)
        await other.has(PARTITIONS // 2)
        if room:
            await hoard.takes_more()
    await hoard.until(lambda: len(hoard.shards) == PARTITIONS)
    await hoard.comes_to(600)


@kafka_clusters.on_a_broker
async def test_consumer_that_breaks_is_replaced(settings: KafkaSettings) -> None:
    """Another one comes by its name, and goes."""
    named = msgspec.structs.replace(settings, properties={"group.instance.id": "me"})
    heard, owner = Heard(), WatchedOwner()
    async with Kafka(named, heard.signals) as kafka:
        subscription = kafka.subscribe("hotel")
        await subscription.open(owner)
        await owner.has(PARTITIONS)
        async with Kafka(named) as impostor:
            await impostor.subscribe("hotel").open(WatchedOwner())
            await heard.error("kafka.failed", "fenced")
            await owner.has(0)
        await owner.has(PARTITIONS)
        kafka.send([envelope("m1")], ignore)
        assert ids(await received(subscription, 1)) == ["m1"]


async def test_a_loop_that_ends_without_closing_leaves_no_thread(settings: KafkaSettings) -> None:
    """Whatever the program forgot: the thread sees that nobody listens any more."""

    async def forget() -> Reader:
        troubles = Troubles(Heard().signals, "forgotten")
        reader = Reader(settings.topic("hotel"), settings.group_id("hotel", ""), settings, Hoard(), troubles)
        reader.start()
        return reader

    def run() -> Reader:
        with asyncio.Runner() as runner:
            return runner.run(forget())

    reader = await asyncio.to_thread(run)
    async with Kafka(settings) as kafka:
        kafka.send([envelope(f"m{n}", key=f"k{n}") for n in range(20)], ignore)
        await asyncio.to_thread(reader._thread.join, 20)
    assert not reader._thread.is_alive()
