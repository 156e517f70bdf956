"""The transport over Kafka: an address is a topic, a shard is a partition, the order is that of the key."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from amends.adapters.kafka.murmur2 import partition_of
from amends.adapters.kafka.sender import Sender
from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.kafka.subscription import KafkaSubscription
from amends.adapters.kafka.topics import Topics
from amends.messages import Envelope
from amends.ports import Taken
from amends.signals import Signals


class Kafka:
    """A `Transport`. Messages are taken when every replica that is in sync has them.

        async with Kafka(KafkaSettings(bootstrap="localhost:9092"), signals) as kafka:
            await kafka.check(["trips", "trips.coordinator", "hotel"])
            service = Service(storage, kafka, runtime, signals, participant=hotel)

    Close it after the services that use it. What goes wrong is told by signals and tried again.
    """

    def __init__(self, settings: KafkaSettings, signals: Signals | None = None) -> None:
        self._settings = settings
        self._signals = signals or Signals()
        self._topics = Topics(settings)
        self._sender = Sender(settings, self._signals)
        self._subscriptions: list[KafkaSubscription] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def check(self, addresses: Sequence[str]) -> None:
        """Raises `MissingTopics`, which names every topic that is not there, or `ConnectionError`."""
        await self._topics.check(addresses)

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        self._sender.send(envelopes, taken)

    def subscribe(self, address: str, group: str = "") -> KafkaSubscription:
        subscription = KafkaSubscription(address, group, self._settings, self._topics, self._signals)
        self._subscriptions.append(subscription)
        return subscription

    def shard_of(self, address: str, key: str) -> int:
        """Waits for the broker when the address was not checked, nor opened. Raises `MissingTopics`."""
        return partition_of(key, self._topics.partitions(address))

    async def close(self) -> None:
        """Leaves the groups, then sends what is still on its way; each of the two takes at most `close_s`."""
        await asyncio.gather(*(subscription.finish() for subscription in self._subscriptions))
        await self._sender.close()
