"""Topics: which there are, and how many partitions each has."""

import asyncio
from collections.abc import Iterable, Sequence

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.threads import Threads
from amends.errors import MissingTopics

_PATIENCE_S = 10.0


class Topics:
    """Asks the broker once for the partitions of all topics, and again when one is not among them."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._partitions: dict[str, int] = {}

    def partitions(self, address: str) -> int:
        """Asks on the spot when it is not known yet. Raises `MissingTopics`."""
        if address not in self._partitions:
            self._require(self._ask(), [address])
        return self._partitions[address]

    async def check(self, addresses: Sequence[str]) -> None:
        """Raises `MissingTopics`, which names them all; waits for the broker at most ten seconds."""
        threads = Threads(1)
        try:
            self._require(await threads.run(self._ask), addresses)
        finally:
            threads.close()

    def _ask(self) -> dict[str, int]:
        client = AdminClient(dict(self._settings.client()))
        topics = client.list_topics(timeout=_PATIENCE_S).topics
        return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}

    def _require(self, found: dict[str, int], addresses: Sequence[str]) -> None:
        topics = {address: self._settings.topic(address) for address in addresses}
        if missing := [topic for topic in topics.values() if topic not in found]:
            names = ", ".join(missing)
            raise MissingTopics(f"Kafka at {self._settings.bootstrap} has no topic {names}; create them first")
        self._partitions |= {address: found[topic] for address, topic in topics.items()}


async def create_topics(
    settings: KafkaSettings, addresses: Iterable[str], partitions: int, replicas: int = 1
) -> list[str]:
    """Makes the topics of addresses; returns the names of those that were not there yet."""
    client = AdminClient(dict(settings.client()))
    limit = {"max.message.bytes": str(settings.largest_batch)}
    wanted = [NewTopic(settings.topic(each), partitions, replicas, config=limit) for each in addresses]
    made = client.create_topics(wanted, operation_timeout=_PATIENCE_S) if wanted else {}
    return [topic for topic, future in made.items() if await _is_made(asyncio.wrap_future(future))]


async def _is_made(made: "asyncio.Future[None]") -> bool:
    try:
        await made
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True
