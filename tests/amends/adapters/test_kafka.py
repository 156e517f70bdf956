"""The transport over Kafka passes the transport suite; topics that are not there are named."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from amends.adapters.kafka import Kafka, KafkaSettings, create_topics, topics
from amends.conformance import transport_suite
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import Owner, ids, ignore, received
from amends.errors import MissingTopics
from amends.ports import Subscription, Transport
from amends.rest import AT_ONCE, Rest
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_clusters import fresh_settings
from tests.amends.adapters.kafka_listening import Heard, Takings
from tools.servers import Kafka as KafkaServer

mock = kafka_clusters.mock
settings = kafka_clusters.settings

TestTransport = transport_suite.TestTransport


@pytest.fixture
def addresses() -> list[str]:
    return ["hotel", "hotel.events", *[f"address-{number}" for number in range(5)]]


@pytest.fixture
async def transport(settings: KafkaSettings) -> AsyncIterator[Transport]:
    async with Kafka(settings) as kafka:
        yield kafka


async def test_missing_topics_are_all_named(settings: KafkaSettings) -> None:
    async with Kafka(settings) as kafka:
        await kafka.check(["hotel"])
        toll, ferry = settings.topic("toll"), settings.topic("ferry")
        with pytest.raises(MissingTopics, match=f"has no topic {toll}, {ferry}; create"):
            await kafka.check(["toll", "hotel", "ferry"])
        with pytest.raises(MissingTopics, match="toll"):
            await kafka.subscribe("toll").open(Owner())
        with pytest.raises(MissingTopics, match="toll"):
            kafka.shard_of("toll", "k")


async def test_broker_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_PATIENCE_S", 0.2)
    async with Kafka(KafkaSettings(bootstrap="127.0.0.1:1", close_s=0.0)) as kafka:
        with pytest.raises(ConnectionError, match=r"Kafka at 127\.0\.0\.1:1 can't be reached"):
            await kafka.check(["hotel"])


@pytest.mark.parametrize(
    ("rest", "batches"), [(AT_ONCE, [["m1"], ["m2"], ["m3"]]), (Rest(100.0, 3.0), [["m1"], ["m2", "m3"]])]
)
async def test_reader_that_rests_gathers_what_comes_meanwhile(
    settings: KafkaSettings, rest: Rest, batches: list[list[str]]
) -> None:
    read: list[list[str]] = []
    async with Kafka(msgspec.structs.replace(settings, rest=rest)) as kafka:
        subscription = kafka.subscribe("hotel")
        await subscription.open(Owner())
        for number in range(1, 4):
            kafka.send([envelope(f"m{number}", key="k")], ignore)
            if number == 1 or rest is AT_ONCE:
                read.append(await one_batch(subscription))
            await asyncio.sleep(0.2)
        if rest is not AT_ONCE:
            read.append(await one_batch(subscription))
    assert read == batches


async def one_batch(subscription: Subscription) -> list[str]:
    """It takes a moment."""
    batch = await subscription.receive(10)
    await asyncio.sleep(0.05)
    await subscription.acknowledge(batch)
    return ids(batch)


@pytest.mark.servers
class TestTopics:
    async def test_topics_are_created_once(self, kafka_server: KafkaServer) -> None:
        settings = fresh_settings(kafka_server)
        toll, ferry, quay = (settings.topic(each) for each in ("toll", "ferry", "quay"))
        assert await create_topics(settings, ["toll", "ferry"], 3) == [toll, ferry]
        assert await create_topics(settings, ["toll", "quay"], 3) == [quay]
        assert await create_topics(settings, [], 3) == []

    async def test_topic_may_be_created_after_its_first_reader_and_sender(self, kafka_server: KafkaServer) -> None:
        settings = fresh_settings(kafka_server)
        taken, heard = Takings(), Heard()
        async with Kafka(settings, heard.signals) as kafka:
            subscription = kafka.subscribe("late")
            kafka.send([envelope("m1", to="late")], taken)
            reading = asyncio.create_task(received(subscription, 1))
            await heard.error("kafka.failed", "Unknown topic")
            await create_topics(settings, ["late"], 2)
            assert ids(await reading) == ["m1"]
            await taken.all_of([envelope("m1")])
