"""Reads one address: what the reader's thread brings, given out in batches while its partitions are ours."""

import asyncio
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any

from confluent_kafka import Message

from amends.adapters.cloudevents import Malformed
from amends.adapters.kafka import records
from amends.adapters.kafka.claims import Claim, Claims
from amends.adapters.kafka.reader import Reader
from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.kafka.topics import Topics
from amends.adapters.kafka.troubles import Troubles
from amends.messages import Envelope
from amends.ports import ShardOwner
from amends.signals import Signals

_AGAIN_S = 1.0


class KafkaSubscription:
    """A `Subscription`. Each partition is a shard; the readers of one group share them."""

    def __init__(self, address: str, group: str, settings: KafkaSettings, topics: Topics, signals: Signals) -> None:
        self._address = address
        self._group_id = settings.group_id(address, group)
        self._settings = settings
        self._topics = topics
        self._signals = signals
        self._troubles = Troubles(signals, self._group_id)
        self._claims = Claims()
        self._owner: ShardOwner | None = None
        self._reader: Reader | None = None
        self._arrived = asyncio.Event()
        self._moved = asyncio.Event()
        self._telling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._given = 0.0, False
        self._rest_s = 0.0
        self._closed = False
        self._finished = False

    async def open(self, owner: ShardOwner) -> None:
        """Raises `MissingTopics`, `ConnectionError`."""
        await self._topics.check([self._address])
        self._owner = owner
        self._begin()

    async def receive(self, most: int) -> Sequence[Envelope]:
        """Nothing of a partition comes before its owner has been told of it."""
        self._begin()
        await asyncio.sleep(self._rest_s)
        while not self._closed:
            if messages := self._claims.take(most):
                self._given = monotonic(), len(messages) == most
                return [self._read(message) for message in messages]
            self._arrived.clear()
            await self._arrived.wait()
        return []

    async def acknowledge(self, batch: Sequence[Envelope]) -> None:
        """Batches are acknowledged in the order in which they were received, whole."""
        if batch and self._reader is not None:
            self._reader.commit(self._claims.acknowledge())
            self._moved.set()
            given_at, full = self._given
            self._rest_s = 0.0 if full else self._settings.rest.after(monotonic() - given_at)
            if self._closed and not self._claims.in_flight:
                self._reader.stop()

    def close(self) -> None:
        """Leaves the group once the batch in flight is acknowledged, or has had its time."""
        if not self._closed:
            self._closed = True
            self._arrived.set()
            if self._reader is not None and self._claims.in_flight:
                asyncio.get_running_loop().call_later(self._settings.drain_s, self._reader.stop)
            elif self._reader is not None:
                self._reader.stop()

    async def finish(self) -> None:
        """Leaves the group now; returns when the thread has ended, or has had its time."""
        self.close()
        self._finished = True
        self._moved.set()
        for task in self._tasks:
            task.cancel()
        if self._reader is not None:
            self._reader.stop()
            if not await self._reader.stopped(self._settings.close_s):
                self._troubles.tell("the consumer has not ended in time")

    @property
    def done_with(self) -> int:
        return self._claims.done_with

    def arrived(self, messages: Sequence[Message]) -> None:
        self._claims.put(messages)
        self._arrived.set()

    def gained(self, shards: Sequence[int]) -> None:
        self._spawn(self._gain(self._claims.begin(shards)))

    async def leave(self, shards: Sequence[int]) -> None:
        claims = self._claims.leave(shards)
        try:
            async with asyncio.timeout(self._settings.drain_s):
                while any(claim.in_flight for claim in claims) and not self._finished:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            self._troubles.tell(f"shards {_listed(shards)} go with a batch in flight")

    async def lost(self, shards: Sequence[int]) -> None:
        self._claims.end(self._claims.leave(shards))
        self._moved.set()
        try:
            async with self._telling:
                if self._owner is not None and not self._finished:
                    await self._owner.lost(shards)
        except Exception as error:  # an owner that can't be told has lost them nevertheless
            self._tell_failed(shards, error)

    async def _gain(self, claims: Sequence[Claim]) -> None:
        """Tells the owner, again and again while the partitions are ours; then their messages may come."""
        while held := [claim for claim in claims if claim.is_held]:
            if await self._told(held):
                self._claims.open(held)
                self._arrived.set()
                return
            await asyncio.sleep(_AGAIN_S)

    async def _told(self, claims: Sequence[Claim]) -> bool:
        shards = [claim.shard for claim in claims]
        try:
            async with self._telling:
                if self._owner is not None:
                    await self._owner.gained(shards)
        except Exception as error:  # whatever the owner lacks, its database say: it is asked again
            self._tell_failed(shards, error)
            return False
        return True

    def _tell_failed(self, shards: Sequence[int], error: Exception) -> None:
        told = f"{type(error).__name__}: {error}"[:500]
        self._signals.emit("shards.failed", address=self._address, shards=_listed(shards), error=told)

    def _begin(self) -> None:
        if self._reader is None and not self._closed:
            topic = self._settings.topic(self._address)
            self._reader = Reader(topic, self._group_id, self._settings, self, self._troubles)
            self._reader.start()

    def _read(self, message: Message) -> Envelope:
        try:
            return records.read(message, self._address)
        except Malformed as error:
            envelope = records.undecodable(message, self._address, error)
            self._signals.emit("message.undecodable", message=envelope.id, address=self._address, error=str(error))
            return envelope

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name=self._group_id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _listed(shards: Sequence[int]) -> str:
    return ", ".join(map(str, shards))
