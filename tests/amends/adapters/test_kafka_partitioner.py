"""Keys are spread as librdkafka and the Java client spread them."""

import pytest
from confluent_kafka import KafkaError, Message, Producer

from amends.adapters.kafka import Kafka
from amends.adapters.kafka.murmur2 import murmur2, partition_of
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.mock_kafka import PARTITIONS, MockKafka

addresses = kafka_clusters.addresses
mock = kafka_clusters.mock


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_hash_is_that_of_the_java_client(key: bytes, signed: int) -> None:
    """The vectors of Kafka's own UtilsTest."""
    assert murmur2(key) == signed % 2**32


async def test_shard_is_the_partition_that_librdkafka_chooses(mock: MockKafka) -> None:
    keys = ["", "k", "Zoë", "\x00", *["x" * length for length in range(1, 40)], *[f"order-{n}" for n in range(500)]]
    async with Kafka(mock.settings()) as kafka:
        assert {key: kafka.shard_of("hotel", key) for key in keys} == chosen(mock, keys)


def test_every_number_of_partitions_is_used() -> None:
    for partitions in range(1, 20):
        assert {partition_of(f"order-{n}", partitions) for n in range(1_000)} == set(range(partitions))


def chosen(mock: MockKafka, keys: list[str]) -> dict[str, int]:
    partitions: dict[str, int] = {}

    def note(error: KafkaError | None, message: Message) -> None:
        assert error is None
        partitions[(message.key() or b"").decode()] = message.partition() or 0

    producer = Producer(dict(mock.settings().producer()))
    for key in keys:
        producer.produce("hotel", b"{}", key, on_delivery=note)
    assert producer.flush(20) == 0
    assert set(partitions.values()) == set(range(PARTITIONS))
    return partitions
