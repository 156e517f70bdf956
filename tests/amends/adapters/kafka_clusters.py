"""Fixtures: Kafka as settings that say where it is, on the mock and on a broker.

A module that needs more topics than `hotel` has an `addresses` of its own.
"""

from collections.abc import Iterator, Sequence
from uuid import uuid4

import pytest

from amends.adapters.kafka import KafkaSettings, create_topics
from tests.amends.adapters.mock_kafka import PARTITIONS, MockKafka
from tests.servers import wait_for
from tools.servers import Kafka as KafkaServer

BROKER = pytest.param("server", marks=pytest.mark.servers)

on_a_broker = pytest.mark.parametrize("settings", [BROKER], indirect=True)
"""For what the mock can't do: it throws out who takes its time in a rebalance, and refuses commits then."""


@pytest.fixture
def addresses() -> Sequence[str]:
    """Whose topics there are, each with four partitions."""
    return ["hotel"]


@pytest.fixture
def mock(addresses: Sequence[str]) -> Iterator[MockKafka]:
    """A cluster for one test."""
    cluster = MockKafka()
    cluster.create_topics(addresses)
    yield cluster
    cluster.close()


@pytest.fixture(params=["mock", BROKER])
def settings(request: pytest.FixtureRequest, addresses: Sequence[str]) -> KafkaSettings:
    """For topics of this test's own."""
    if request.param == "mock":
        cluster: MockKafka = request.getfixturevalue("mock")
        return cluster.settings()
    server: KafkaServer = request.getfixturevalue("kafka_server")
    made = fresh_settings(server)
    wait_for(create(made, addresses))
    return made


def fresh_settings(server: KafkaServer) -> KafkaSettings:
    """With a prefix that nobody else has."""
    return KafkaSettings(bootstrap=server.bootstrap, prefix=f"{uuid4().hex}.")


async def create(settings: KafkaSettings, addresses: Sequence[str]) -> None:
    await create_topics(settings, addresses, PARTITIONS)
