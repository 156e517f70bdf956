"""What is sent over Kafka: in order per key, taken when it is acknowledged, never lost without a word."""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec
from confluent_kafka import KafkaError

from amends.adapters.kafka import Kafka
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ids, received
from amends.messages import Envelope
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_listening import Floor, Heard, Takings
from tests.amends.adapters.mock_kafka import PARTITIONS, PRODUCE, MockKafka

addresses = kafka_clusters.addresses
mock = kafka_clusters.mock


def some(count: int, first: int = 0, keys: int = 5) -> list[Envelope]:
    return [envelope(f"{number:05}", key=f"k{number % keys}") for number in range(first, first + count)]


def assert_in_order(got: Sequence[Envelope], sent: Sequence[Envelope]) -> None:
    """Copies aside, each key's messages came as they were sent."""
    for key in {each.key for each in sent}:
        firsts = list(dict.fromkeys(each.id for each in got if each.key == key))
        assert firsts == ids([each for each in sent if each.key == key])


async def until_has(kafka: Kafka, sent: Sequence[Envelope]) -> list[Envelope]:
    """Reads until every message has come, at least once."""
    subscription, got = kafka.subscribe("hotel"), list[Envelope]()
    while {each.id for each in got} != {each.id for each in sent}:
        got += await received(subscription, 1)
    return got


async def test_nothing_is_taken_while_the_broker_is_away_and_everything_afterwards(mock: MockKafka) -> None:
    taken, heard = Takings(), Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        kafka.send(some(1), taken)
        await taken.all_of(some(1))
        mock.go_down()
        kafka.send(some(20, 1), taken)
        assert (await heard.first("kafka.failed"))["client"] == "producer"
        assert len(taken.ids) == 1
        mock.come_up()
        await taken.all_of(some(21))
        assert_in_order(await until_has(kafka, some(21)), some(21))


async def test_full_queue_loses_nothing_and_keeps_the_order(mock: MockKafka) -> None:
    taken = Takings()
    async with Kafka(mock.settings(properties={"queue.buffering.max.messages": 10})) as kafka:
        for first in range(0, 500, 100):
            kafka.send(some(100, first), taken)
        await taken.all_of(some(500))
        assert_in_order(await until_has(kafka, some(500)), some(500))


async def test_order_holds_when_the_broker_refuses_for_a_while(mock: MockKafka) -> None:
    """One request at a time: the mock takes the second although it refused the first, which no broker does.

    librdkafka then counts the first as stored, since a broker that keeps the order of numbers must have stored it.
    """
    taken = Takings()
    one_at_a_time = {"max.in.flight.requests.per.connection": 1}
    async with Kafka(mock.settings(linger_ms=0, properties=one_at_a_time)) as kafka:
        kafka.send(some(1), taken)
        await taken.all_of(some(1))
        mock.answer(PRODUCE, *[KafkaError.NOT_ENOUGH_REPLICAS, KafkaError.REQUEST_TIMED_OUT] * 4)
        for first in range(1, 201, 20):
            kafka.send(some(20, first), taken)
            await asyncio.sleep(0)
        await taken.all_of(some(201))
        assert_in_order(await until_has(kafka, some(201)), some(201))


async def test_message_that_is_too_large_is_told_and_holds_up_nobody(mock: MockKafka) -> None:
    huge = msgspec.structs.replace(envelope("huge"), payload=b"x" * 2_000_000)
    taken, heard = Takings(), Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        kafka.send([*some(1), huge, *some(4, 1)], taken)
        told = await heard.first("message.unsent")
        assert (told["message"], told["address"]) == ("huge", "hotel")
        assert "size too large" in str(told["error"])
        await taken.all_of(some(5))


async def test_message_that_cannot_be_written_is_told_and_holds_up_nobody(mock: MockKafka) -> None:
    taken, heard = Takings(), Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        kafka.send([envelope("early", at=-5.0), *some(1)], taken)
        await heard.error("message.unsent", "before 1970")
        await taken.all_of(some(1))


async def test_message_that_the_broker_refuses_is_told_and_stays_in_the_outbox(mock: MockKafka) -> None:
    taken, heard = Takings(), Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        mock.answer(PRODUCE, KafkaError.INVALID_RECORD)
        kafka.send(some(1), taken)
        assert (await heard.first("message.unsent"))["message"] == "00000"
        kafka.send(some(1), taken)
        await taken.all_of(some(1))


async def test_producer_that_breaks_is_replaced_and_everything_goes_in_order(mock: MockKafka) -> None:
    taken, heard = Takings(), Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        kafka.send(some(20), taken)
        await taken.all_of(some(20))
        mock.go_down()
        kafka.send(some(100, 20), taken)
        mock.break_producer(kafka._sender._producer)
        kafka.send(some(100, 120), taken)
        mock.come_up()
        await heard.error("kafka.failed", "broken by a test")
        await taken.all_of(some(220))
        assert_in_order(await until_has(kafka, some(220)), some(220))


async def test_what_is_on_its_way_is_not_sent_again_by_a_sweep(mock: MockKafka) -> None:
    taken = Takings()
    async with Kafka(mock.settings()) as kafka:
        for _ in range(5):
            kafka.send(some(10, keys=1), taken)
        await taken.all_of(some(10))
        kafka.send(some(1, 10, keys=1), taken)
        assert ids(await until_has(kafka, some(11, keys=1))) == ids(some(11))


async def test_copies_that_are_sent_together_all_go(mock: MockKafka) -> None:
    """As the fault `Duplicating` sends them."""
    async with Kafka(mock.settings()) as kafka:
        kafka.send([each for each in some(5) for _ in range(3)], Takings())
        got = await received(kafka.subscribe("hotel"), 15)
        assert sorted(ids(got)) == sorted(ids(some(5)) * 3)


async def test_close_sends_what_is_on_its_way(mock: MockKafka) -> None:
    taken = Takings()
    kafka = Kafka(mock.settings(linger_ms=50))
    kafka.send(some(10), taken)
    await kafka.close()
    await taken.all_of(some(10), patience_s=0)
    kafka.send(some(1, 10), taken)
    assert len(taken.ids) == 10


async def test_close_is_bounded_while_the_broker_is_away(mock: MockKafka) -> None:
    taken, heard = Takings(), Heard()
    kafka = Kafka(mock.settings(close_s=0.2), heard.signals)
    subscription = kafka.subscribe("hotel")
    kafka.send(some(1), taken)
    await taken.all_of(await received(subscription, 1))
    mock.go_down()
    kafka.send(some(10, 1), taken)
    async with asyncio.timeout(5):
        await kafka.close()
    assert len(taken.ids) == 1
    assert "10 messages not taken" in str(heard.of("kafka.failed")[-1]["error"])


async def test_close_leaves_no_thread(mock: MockKafka) -> None:
    before = native_threads()
    kafka = Kafka(mock.settings())
    floor = Floor()
    for shards in (PARTITIONS, PARTITIONS // 2):
        await floor.desk(kafka.subscribe("hotel"), shards)
    kafka.send(some(10), Takings())
    await floor.has(some(10))
    assert native_threads() > before
    await kafka.close()
    assert [each.name for each in threading.enumerate() if each.name.startswith("amends kafka")] == []
    assert native_threads() <= before


def native_threads() -> int:
    """All that the system knows of, where it can be asked."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()
