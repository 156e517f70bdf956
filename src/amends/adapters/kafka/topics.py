"""Topics: which there are, and how many partitions each has."""

import asyncio
from collections.abc import Iterable, Sequence
from time import monotonic

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.threads import Threads
from amends.errors import MissingTopics

_PATIENCE_S = 10.0
_APPEARS_S = 2.0  # a broker hears a little later of a topic that was made just now
_MADE_S = 30.0  # and a busy one much later
_AGAIN_S = 0.05


class Topics:
    """Asks the broker once for the partitions of an address, and keeps what it said."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._partitions: dict[str, int] = {}

    def partitions(self, address: str) -> int:
        """Asks on the spot when it is not known yet. Raises `MissingTopics`, `ConnectionError`."""
        if address not in self._partitions:
            self._look()
            self._require([address])
        return self._partitions[address]

    async def check(self, addresses: Sequence[str], patience_s: float = _APPEARS_S) -> None:
        """Raises `MissingTopics`, which names them all, or `ConnectionError` after ten seconds."""
        threads, until = Threads(1), monotonic() + patience_s
        try:
            while self._missing(addresses):
                await threads.run(self._look)
                if monotonic() >= until:
                    return self._require(addresses)
                if self._missing(addresses):
                    await asyncio.sleep(_AGAIN_S)
        finally:
            threads.close()

    def _look(self) -> None:
        client = AdminClient(dict(self._settings.client()))
        try:
            topics = client.list_topics(timeout=_PATIENCE_S).topics
        except KafkaException as error:
            raise ConnectionError(f"Kafka at {self._settings.bootstrap} can't be reached: {error}") from error
        prefix = self._settings.prefix
        ours = {name: topic for name, topic in topics.items() if name.startswith(prefix) and not topic.error}
        found = {name.removeprefix(prefix): len(topic.partitions) for name, topic in ours.items()}
        self._partitions = found | self._partitions  # what was said once stays

    def _missing(self, addresses: Iterable[str]) -> list[str]:
        return [self._settings.topic(each) for each in addresses if each not in self._partitions]

    def _require(self, addresses: Iterable[str]) -> None:
        if missing := self._missing(addresses):
            names = ", ".join(missing)
            raise MissingTopics(f"Kafka at {self._settings.bootstrap} has no topic {names}; create what is missing")


async def create_topics(
    settings: KafkaSettings, addresses: Sequence[str], partitions: int, replicas: int = 1
) -> list[str]:
    """Makes the topics of addresses; returns the names of those that were not there yet."""
    client = AdminClient(dict(settings.client()))
    limit = {"max.message.bytes": str(settings.largest_batch)}
    wanted = [NewTopic(settings.topic(each), partitions, replicas, config=limit) for each in addresses]
    made = client.create_topics(wanted, operation_timeout=_PATIENCE_S) if wanted else {}
    created = [topic for topic, future in made.items() if await _is_made(asyncio.wrap_future(future))]
    await Topics(settings).check(addresses, _MADE_S)
    return created


async def delete_topics(settings: KafkaSettings, addresses: Sequence[str]) -> None:
    """Deletes the topics of addresses, with all that is in them; those that are not there stay so."""
    client = AdminClient(dict(settings.client()))
    gone = client.delete_topics([settings.topic(each) for each in addresses], operation_timeout=_PATIENCE_S)
    for future in gone.values():
        try:
            await asyncio.wrap_future(future)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise


async def _is_made(made: "asyncio.Future[None]") -> bool:
    try:
        await made
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True
