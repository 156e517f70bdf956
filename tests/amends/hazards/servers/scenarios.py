"""Hazards of the outbox, of Kafka and of PostgreSQL, each as a function of a hotel's database and broker."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec
from confluent_kafka import Producer

from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.postgres import PostgresStorage
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ids, received
from amends.messages import MessageId
from tests.amends.adapters import test_kafka_partitions as partitions
from tests.amends.adapters.kafka_listening import Takings, WatchedOwner
from tests.amends.adapters.mock_kafka import PARTITIONS
from tests.amends.hazards.servers.hotel import Locked, Process, Where, asks
from tests.amends.hazards.servers.wire import ALL, KafkaWire

NOW = 2_000_000_000.0
SILENT_S = 1.0
Scenario = Callable[[Where], Awaitable[None]]


async def batch_of_a_killed_process_comes_again(where: Where) -> None:
    """Killed in the middle of its hop: the next process does all of it, once."""
    trips = [f"t{number}" for number in range(8)]
    first = await Process(where).start()
    async with Locked(where) as lock:
        first.kafka.send(asks(*trips), lambda _: None)
        await lock.somebody_waits()
        await asyncio.sleep(0.3)  # time for whoever commits offsets too early
        await first.kill()
    second = await Process(where).start()
    assert sorted(await second.has_booked(trips)) == trips
    await second.stop()


async def partition_waits_for_its_batch(where: Where) -> None:
    """Another process joins while the first one is at batches of every partition: none moves before they are done."""
    made: list[Kafka] = []

    def start() -> Kafka:
        made.append(Kafka(where.settings))
        return made[-1]

    try:
        await partitions.test_partition_waits_for_its_batches_in_flight_before_it_moves(start)
    finally:
        for kafka in made:
            await kafka.close()


async def sent_twice_is_done_once(where: Where) -> None:
    """The mark that it was sent is lost: a sweep sends it again."""
    process = await Process(where).start()
    process.kafka.send(asks("t1"), lambda _: None)
    await process.has_booked(["t1"])
    behind = [msgspec.structs.replace(each, key="t1") for each in asks("t2")]
    process.kafka.send([*asks("t1"), *behind], lambda _: None)
    booked = await process.has_booked(["t1", "t2"])
    await process.stop()
    assert booked.count("t1") == 1, f"booked twice: {booked}"


async def unheard_record_is_in_the_topic_once(where: Where) -> None:
    """The broker has the record, and its answer is lost: the client sends it again by itself."""
    async with wire_to(where) as (wire, settings), Kafka(settings) as kafka:
        wire.lose = 1
        for number in ("m1", "m2"):
            await sent(kafka, number)
        assert wire.lost == 1
    async with Kafka(where.settings) as kafka:
        found = ids(await received(kafka.subscribe("hotel"), 2))
    assert found[:2] == ["m1", "m2"], f"a record is in the topic twice: {found}"


async def every_replica_in_sync_is_waited_for(where: Where) -> None:
    """Of one broker nothing else can be seen but what it is asked for."""
    async with wire_to(where) as (wire, settings), Kafka(settings) as kafka:
        await sent(kafka, "m1")
    assert wire.acks == {ALL}, f"the producer is content with less: {wire.acks}"


@asynccontextmanager
async def wire_to(where: Where) -> AsyncIterator[tuple[KafkaWire, KafkaSettings]]:
    wire = KafkaWire(int(where.settings.bootstrap.partition(":")[2]))
    await wire.start()
    yield wire, msgspec.structs.replace(where.settings, bootstrap=wire.bootstrap)
    await wire.stop()


async def sent(kafka: Kafka, id: str) -> None:
    """Sends a message; returns when it is taken."""
    await kafka.check(["hotel"])
    taken = Takings()
    kafka.send([envelope(id)], taken)
    await taken.all_of([envelope(id)])


async def undecodable_record_is_parked(where: Where) -> None:
    """With its bytes and its place; what comes after it in its partition, of its key even, is done."""
    process = await Process(where).start()
    shard = process.kafka.shard_of("hotel", "t1")
    _produce(where.settings, b"t1", b"\xff{", shard)
    process.kafka.send(asks("t1"), lambda _: None)
    await process.has_booked(["t1"])
    async with process.storage.reading() as reader:
        parked = await process.storage.parking.all(reader, 10)
    await process.stop()
    assert [each.envelope.id for each in parked] == [f"{where.settings.topic('hotel')}/{shard}/0"], "nobody sees it"
    told = msgspec.json.decode(parked[0].envelope.payload)
    assert (base64.b64decode(told["value"]["base64"]), told["partition"], told["offset"]) == (b"\xff{", shard, 0)


def _produce(settings: KafkaSettings, key: bytes, value: bytes, partition: int) -> None:
    """As somebody would who knows nothing of envelopes."""
    producer = Producer(dict(settings.producer()))
    producer.produce(settings.topic("hotel"), value, key, partition)
    assert producer.flush(20) == 0


async def slow_commit_is_not_passed_over(where: Where) -> None:
    """Ids are in the order of being put in, commits are not."""
    storage = PostgresStorage(where.dsn)
    await storage.migrate()
    async with storage.transaction(NOW) as slow:
        await storage.outbox.insert(slow, [envelope("a1")])
        async with storage.transaction(NOW) as quick:
            await storage.outbox.insert(quick, [envelope("a2")])
        assert await claimed(storage) == ["a2"]
        async with storage.transaction(NOW) as tx:
            await storage.outbox.remove(tx, [MessageId("a2")])
    left = await claimed(storage)
    await storage.close()
    assert left == ["a1"], "a message was passed over"


async def sweeps_take_turns(where: Where) -> None:
    """Two processes look at once for what was left: one of them finds it."""
    one, two = PostgresStorage(where.dsn), PostgresStorage(where.dsn)
    await one.migrate()
    async with one.transaction(NOW) as tx:
        await one.outbox.insert(tx, [envelope("a1")])
    async with one.transaction(NOW + 60) as tx:
        found = [each.id for each in await one.outbox.claim(tx, NOW + 30, 10)]
        other = asyncio.ensure_future(claimed(two))
        await asyncio.sleep(0.3)  # it has looked by now, or waits
    both = [*found, *await other]
    for storage in (one, two):
        await storage.close()
    assert both == ["a1"], f"sent by both: {both}"


async def claimed_rows_are_not_overtaken(where: Where) -> None:
    """One process has claimed what was left and has not sent it yet: nothing that follows goes before that."""
    one, two = PostgresStorage(where.dsn), PostgresStorage(where.dsn)
    await one.migrate()
    for id in ("a1", "a2"):
        async with one.transaction(NOW) as tx:
            await one.outbox.insert(tx, [envelope(id)])
    async with one.transaction(NOW + 50) as tx:
        assert ids(await one.outbox.claim(tx, NOW + 20, 1)) == ["a1"]
    early = await claimed(two)
    async with one.transaction(NOW + 60) as tx:
        await one.outbox.remove(tx, [MessageId("a1")])
    assert (early, await claimed(two)) == ([], ["a2"]), f"{early} overtook what was claimed before it"
    for storage in (one, two):
        await storage.close()


async def long_hop_keeps_its_partitions(where: Where) -> None:
    """It takes twice as long as a consumer may be silent."""
    hasty = {"max.poll.interval.ms": round(1000 * SILENT_S)}
    settings = msgspec.structs.replace(where.settings, session_s=SILENT_S, drain_s=0.1, properties=hasty)
    owner = Steadfast()
    async with Kafka(settings) as kafka:
        subscription = kafka.subscribe("hotel")
        await subscription.open(owner)
        await sent(kafka, "m1")
        batch = await subscription.receive(10)
        await asyncio.sleep(2 * SILENT_S)
        await subscription.acknowledge(batch)
        await sent(kafka, "m2")
        assert ids(await received(subscription, 1)) == ["m2"], f"m1 came again: {owner.lost_so_far}"
        assert owner.lost_so_far == [], "thrown out in the middle of its work"


class Steadfast(WatchedOwner):
    """Remembers what it has lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost_so_far: list[int] = []

    async def lost(self, shards: Sequence[int]) -> None:
        self.lost_so_far += shards
        await super().lost(shards)


async def every_group_has_all_partitions(where: Where) -> None:
    """What one of them has heard, the other one has not: each service drops what came twice for itself."""
    kitchen, laundry = WatchedOwner(), WatchedOwner()
    async with Kafka(where.settings) as kafka:
        await kafka.subscribe("hotel", "kitchen").open(kitchen)
        await kitchen.has(PARTITIONS)
        await kafka.subscribe("hotel", "laundry").open(laundry)
        await laundry.until(lambda: bool(laundry.shards))
        both = len(kitchen.shards) + len(laundry.shards)
        assert both == 2 * PARTITIONS, "two groups share what each should hear"


async def claimed(storage: PostgresStorage) -> list[str]:
    """What a sweep finds a minute later."""
    async with storage.transaction(NOW + 60) as tx:
        return [each.id for each in await storage.outbox.claim(tx, NOW + 30, 10)]


SCENARIOS: list[Scenario] = [
    batch_of_a_killed_process_comes_again,
    partition_waits_for_its_batch,
    sent_twice_is_done_once,
    unheard_record_is_in_the_topic_once,
    every_replica_in_sync_is_waited_for,
    undecodable_record_is_parked,
    slow_commit_is_not_passed_over,
    sweeps_take_turns,
    claimed_rows_are_not_overtaken,
    long_hop_keeps_its_partitions,
    every_group_has_all_partitions,
]
