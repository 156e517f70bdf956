"""Hazards of the outbox, of Kafka and of PostgreSQL, each as a function of a hotel's database and broker."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from amends.adapters.kafka import Kafka
from amends.adapters.postgres import PostgresStorage
from amends.conformance.fixtures import envelope
from amends.messages import MessageId
from tests.amends.adapters import test_kafka_partitions as partitions
from tests.amends.hazards.servers.hotel import Locked, Process, Where, asks

NOW = 2_000_000_000.0
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


async def claimed(storage: PostgresStorage) -> list[str]:
    """What a sweep finds a minute later."""
    async with storage.transaction(NOW + 60) as tx:
        return [each.id for each in await storage.outbox.claim(tx, NOW + 30, 10)]


SCENARIOS: list[Scenario] = [
    batch_of_a_killed_process_comes_again,
    partition_waits_for_its_batch,
    sent_twice_is_done_once,
    slow_commit_is_not_passed_over,
    sweeps_take_turns,
]
