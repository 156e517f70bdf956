"""Partitions move between the readers of a group: nothing is lost, reordered or done twice on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec
import pytest
from confluent_kafka import Consumer, KafkaError

from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.kafka.reader import Reader
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ids, ignore, received
from amends.messages import Envelope
from amends.ports import Subscription
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_listening import Floor, Heard, WatchedOwner
from tests.amends.adapters.mock_kafka import HEARTBEAT, OFFSET_COMMIT, PARTITIONS, MockKafka

addresses = kafka_clusters.addresses
mock = kafka_clusters.mock
settings = kafka_clusters.settings

REBALANCE_S = 1.5
KEYS = 20
Start = Callable[[], Kafka]


@pytest.fixture
async def start(settings: KafkaSettings) -> AsyncIterator[Start]:
    """Makes transports, as other processes would have them; closed at the end."""
    made: list[Kafka] = []

    def make() -> Kafka:
        made.append(Kafka(settings))
        return made[-1]

    yield make
    for kafka in made:
        await kafka.close()


def some(count: int, first: int = 0) -> list[Envelope]:
    return [envelope(f"{number:05}", key=f"k{number % KEYS}") for number in range(first, first + count)]


async def test_readers_share_the_shards_and_each_key_has_one_reader(start: Start) -> None:
    floor, sender = Floor(), start()
    desks = [await floor.desk(start().subscribe("hotel"), shards) for shards in (PARTITIONS, PARTITIONS // 2)]
    await desks[0].owner.has(PARTITIONS // 2)
    sender.send(some(200), ignore)
    await floor.has(some(200))
    for desk in desks:
        assert desk.messages
        assert {sender.shard_of("hotel", each.key) for each in desk.messages} <= set(desk.owner.shards)


async def test_partitions_that_move_lose_and_reorder_nothing(start: Start) -> None:
    floor, sent = await moved_while_messages_flow(start)
    await floor.has(sent)


@kafka_clusters.on_a_broker
async def test_partitions_that_move_repeat_nothing(start: Start) -> None:
    floor, sent = await moved_while_messages_flow(start)
    await floor.has(sent)
    assert len(floor.messages) == len(sent)


async def moved_while_messages_flow(start: Start) -> tuple[Floor, list[Envelope]]:
    """A second reader joins, and the first one leaves."""
    floor, sender, sent = Floor(), start(), list[Envelope]()
    first = await floor.desk(start().subscribe("hotel"), PARTITIONS)
    moved = asyncio.Event()

    async def flow() -> None:
        while not moved.is_set():
            sent.extend(some(30, len(sent)))
            sender.send(sent[-30:], ignore)
            await floor.until(lambda: len(floor.messages) > len(sent) - 60)

    flowing = asyncio.create_task(flow())
    second = await floor.desk(start().subscribe("hotel"), PARTITIONS // 2)
    await floor.until(lambda: bool(second.messages))
    await first.close()
    await second.owner.has(PARTITIONS)
    moved.set()
    await flowing
    return floor, sent


async def test_batch_that_was_not_acknowledged_comes_again_to_the_next_reader(start: Start) -> None:
    start().send(some(20), ignore)
    dying = start()
    subscription = dying.subscribe("hotel")
    got = await received(subscription, 10, most=10)
    lost = await subscription.receive(10)
    await dying.close()
    rest = await received(start().subscribe("hotel"), 20 - len(got))
    assert {each.id for each in rest} >= {each.id for each in lost}
    assert sorted(ids([*got, *rest])) == ids(some(20))


async def test_batch_that_is_acknowledged_after_close_does_not_come_again(start: Start) -> None:
    start().send(some(20), ignore)
    leaving = start()
    subscription = leaving.subscribe("hotel")
    batch = await subscription.receive(10)
    subscription.close()
    await subscription.acknowledge(batch)
    await leaving.close()
    rest = await received(start().subscribe("hotel"), 20 - len(batch))
    assert sorted(ids([*batch, *rest])) == ids(some(20))


@kafka_clusters.on_a_broker
async def test_partition_waits_for_its_batches_in_flight_before_it_moves(start: Start) -> None:
    floor, owner, subscription = Floor(), WatchedOwner(), start().subscribe("hotel")
    await subscription.open(owner)
    start().send(some(40), ignore)
    batches = await unacknowledged(subscription, 40)
    joining = asyncio.create_task(floor.desk(start().subscribe("hotel"), PARTITIONS // 2))
    with pytest.raises(TimeoutError):
        await owner.until(lambda: len(owner.shards) < PARTITIONS, REBALANCE_S)
    assert not joining.done()
    for batch in batches:
        await subscription.acknowledge(batch)
    await owner.has(PARTITIONS // 2)
    moved = await joining
    start().send(some(40, 40), ignore)
    await floor.until(lambda: bool(moved.messages))
    assert {each.id for each in moved.messages} <= {each.id for each in some(40, 40)}


async def test_partition_whose_batch_never_ends_moves_after_a_while(settings: KafkaSettings) -> None:
    impatient, heard = msgspec.structs.replace(settings, drain_s=0.2), Heard()
    async with Kafka(impatient, heard.signals) as slow, Kafka(settings) as other:
        subscription = slow.subscribe("hotel")
        other.send(some(40), ignore)
        batches = await unacknowledged(subscription, 40)
        floor = Floor()
        await floor.desk(other.subscribe("hotel"), PARTITIONS // 2)
        await heard.error("kafka.failed", "go with a batch in flight")
        await floor.until(lambda: bool(floor.messages))
        for batch in batches:
            await subscription.acknowledge(batch)
        await floor.close()


async def test_nothing_comes_before_the_owner_has_taken_the_shards(settings: KafkaSettings) -> None:
    """An owner that fails is asked again while the shards are here."""
    heard, owner = Heard(), Reluctant(failures=1)
    async with Kafka(settings, heard.signals) as kafka:
        subscription = kafka.subscribe("hotel")
        kafka.send(some(5), ignore)
        await subscription.open(owner)
        reading = asyncio.create_task(received(subscription, 5))
        told = await heard.first("shards.failed")
        assert told == {"address": "hotel", "shards": "0, 1, 2, 3", "error": "RuntimeError: the database is away"}
        await owner.asked.wait()
        assert not reading.done()
        owner.may.set()
        assert sorted(ids(await reading)) == ids(some(5))
        assert owner.shards == [0, 1, 2, 3]


async def test_owner_that_fails_to_let_go_holds_nothing_up(settings: KafkaSettings) -> None:
    heard, floor, owner = Heard(), Floor(), Stubborn()
    async with Kafka(settings, heard.signals) as kafka, Kafka(settings) as other:
        await kafka.subscribe("hotel").open(owner)
        await owner.has(PARTITIONS)
        await floor.desk(other.subscribe("hotel"), PARTITIONS // 2)
        await heard.error("shards.failed", "not mine to give")
        await floor.close()


async def test_reader_that_was_thrown_out_gives_up_its_shards_and_comes_back(mock: MockKafka) -> None:
    """As after a freeze: its batch in flight belongs to somebody else, and is not committed."""
    owner = WatchedOwner()
    async with Kafka(mock.settings()) as kafka:
        subscription = kafka.subscribe("hotel")
        await subscription.open(owner)
        await owner.has(PARTITIONS)
        kafka.send(some(1), ignore)
        batch = await subscription.receive(10)
        mock.answer(HEARTBEAT, KafkaError.UNKNOWN_MEMBER_ID)
        await owner.has(0)
        await subscription.acknowledge(batch)
        await owner.has(PARTITIONS)
        assert await received(subscription, 1) == batch


async def test_commit_that_fails_is_made_again(mock: MockKafka) -> None:
    heard = Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        kafka.send(some(20), ignore)
        mock.answer(OFFSET_COMMIT, KafkaError.GROUP_AUTHORIZATION_FAILED)
        await received(kafka.subscribe("hotel"), 20)
        await heard.error("kafka.failed", "Group authorization failed")
    async with Kafka(mock.settings()) as kafka:
        kafka.send(some(1, 20), ignore)
        assert ids(await received(kafka.subscribe("hotel"), 1)) == ids(some(1, 20))


class Reluctant(WatchedOwner):
    """Fails at first, and then takes its time."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.may = asyncio.Event()
        self._failures = failures

    async def gained(self, shards: Sequence[int]) -> None:
        if self._failures:
            self._failures -= 1
            raise RuntimeError("the database is away")
        self.asked.set()
        await self.may.wait()
        await super().gained(shards)


class Stubborn(WatchedOwner):
    async def lost(self, shards: Sequence[int]) -> None:
        raise RuntimeError("not mine to give")


async def unacknowledged(subscription: Subscription, count: int) -> list[Sequence[Envelope]]:
    """Batches that hold so many messages."""
    batches: list[Sequence[Envelope]] = []
    while sum(map(len, batches)) < count:
        batches.append(await subscription.receive(100))
    return batches


@pytest.mark.parametrize("after", [0, 1])
async def test_partition_that_stands_still_is_taken_up_anew(
    mock: MockKafka, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """The consumer fetches nothing more, from the beginning or after the first messages, and does not say so."""
    turn, stopped = Reader._turn, set[int]()

    def stopping(reader: Reader, consumer: Consumer) -> None:
        turn(reader, consumer)
        if reader._held and not stopped and reader._passed_on >= after:
            stopped.update(reader._held)
            consumer.pause(reader._partitions(reader._held))

    monkeypatch.setattr(Reader, "_turn", stopping)
    monkeypatch.setattr("amends.adapters.kafka.reader._STANDS_S", 0.3)
    heard = Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        subscription = kafka.subscribe("hotel")
        owner = WatchedOwner()
        await subscription.open(owner)
        await owner.has(PARTITIONS)
        for first in range(0, 60, 20):
            kafka.send(some(20, first), ignore)
            await asyncio.sleep(0.2)
        assert sorted(ids(await received(subscription, 60))) == ids(some(60))
        assert stopped == set(range(PARTITIONS))
        await heard.error("kafka.failed", "stood still")
