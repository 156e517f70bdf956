"""The transport over Kafka passes the transport suite: against librdkafka's mock cluster, and against a broker."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from amends.adapters.kafka import Kafka, KafkaSettings, create_topics
from amends.conformance import transport_suite
from amends.ports import Transport
from tests.amends.adapters import mock_kafka
from tests.amends.adapters.mock_kafka import PARTITIONS, MockKafka
from tools.servers import Kafka as KafkaServer

ADDRESSES = ["hotel", "hotel.events", *[f"address-{number}" for number in range(5)]]


mock = mock_kafka.mock


class TestOnMock(transport_suite.TestTransport):
    @pytest.fixture
    async def transport(self, mock: MockKafka) -> AsyncIterator[Transport]:
        mock.create_topics(ADDRESSES)
        async with Kafka(mock.settings()) as kafka:
            yield kafka


@pytest.mark.servers
class TestOnServer(transport_suite.TestTransport):
    @pytest.fixture
    async def transport(self, kafka_server: KafkaServer) -> AsyncIterator[Transport]:
        settings = KafkaSettings(bootstrap=kafka_server.bootstrap, prefix=f"{uuid4().hex}.")
        await create_topics(settings, ADDRESSES, PARTITIONS)
        async with Kafka(settings) as kafka:
            yield kafka
