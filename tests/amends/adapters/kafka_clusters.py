"""Fixtures: Kafka as settings that say where it is, on the mock and on a broker."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from amends.adapters.kafka import KafkaSettings, create_topics
from tests.amends.adapters.mock_kafka import PARTITIONS, MockKafka
from tests.servers import wait_for
from tools.servers import Kafka as KafkaServer

ADDRESSES = [
    "hotel",
    "hotel.events",
    "trips",
    "trips.coordinator",
    "bank",
    *[f"address-{number}" for number in range(5)],
]
BROKER = pytest.param("server", marks=pytest.mark.servers)

on_a_broker = pytest.mark.parametrize("settings", [BROKER], indirect=True)
"""For what the mock can't do: it throws out who takes its time in a rebalance, and refuses commits then."""


@pytest.fixture
def mock() -> Iterator[MockKafka]:
    """A cluster for one test."""
    cluster = MockKafka()
    cluster.create_topics(ADDRESSES)
    yield cluster
    cluster.close()


@pytest.fixture(params=["mock", BROKER])
def settings(request: pytest.FixtureRequest) -> KafkaSettings:
    """Topics of this test's own, each with four partitions."""
    if request.param == "mock":
        cluster: MockKafka = request.getfixturevalue("mock")
        return cluster.settings()
    server: KafkaServer = request.getfixturevalue("kafka_server")
    made = KafkaSettings(bootstrap=server.bootstrap, prefix=f"{uuid4().hex}.")
    wait_for(create(made))
    return made


async def create(settings: KafkaSettings) -> None:
    await create_topics(settings, ADDRESSES, PARTITIONS)
