"""The thread that reads one topic for one group, and tells the event loop of it.

Everything that Kafka's consumer does happens here; what it brings is decided on the loop.

    assigned ─▶ gained ─▶ messages … ─▶ revoked: leave, commit, lost ─▶ given up
                             └────────▶ lost, when the group has thrown it out or its consumer broke
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import Any, Protocol, TypeVarTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from amends.adapters.kafka.claims import Offsets, weight
from amends.adapters.kafka.commits import Commits
from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.kafka.troubles import Troubles

Arguments = TypeVarTuple("Arguments")

_POLL_S = 0.1
_POLL_FULL_S = 0.01
_AGAIN_S = 1.0
_STANDS_S = 5.0
_LOOK_S = 1.0
_MOST = 1_000
_FULL = 16 * 2**20
_ROOM = _FULL // 2


class Listener(Protocol):
    """Whom a reader tells, on the event loop."""

    @property
    def done_with(self) -> int:
        """The weight of all messages that need no room any more; asked from the thread."""

    def arrived(self, messages: Sequence[Message]) -> None: ...

    def gained(self, shards: Sequence[int]) -> None: ...

    async def leave(self, shards: Sequence[int]) -> None:
        """Returns when what was given of these is acknowledged, or has had its time."""

    async def lost(self, shards: Sequence[int]) -> None: ...


class Reader:
    """Reads from `start` to `stop`; a consumer that breaks is replaced."""

    def __init__(
        self, topic: str, group_id: str, settings: KafkaSettings, listener: Listener, troubles: Troubles
    ) -> None:
        self._topic = topic
        self._group_id = group_id
        self._settings = settings
        self._listener = listener
        self._troubles = troubles
        self._commits = Commits(topic, self._tell)
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, name=f"amends kafka {group_id}", daemon=True)
        self._stopping = Event()
        self._ended = asyncio.Event()
        self._held: set[int] = set()
        self._broken: KafkaError | None = None
        self._passed_on = 0
        self._paused: set[int] = set()
        self._looked_at = 0.0
        self._stood_at: dict[int, int] = {}

    def start(self) -> None:
        self._thread.start()

    def commit(self, offsets: Offsets) -> None:
        """Soon. On the loop."""
        self._commits.add(offsets)

    def stop(self) -> None:
        """Commits what there is and leaves the group."""
        self._stopping.set()

    async def stopped(self, patience_s: float) -> bool:
        """Waits until the thread has ended."""
        try:
            async with asyncio.timeout(patience_s):
                await self._ended.wait()
        except TimeoutError:
            return False
        self._thread.join()
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except Exception as error:  # whatever it is: a thread that ended would leave its partitions unread
                self._tell(error)
                self._stopping.wait(_AGAIN_S)
        self._call(self._ended.set)

    def _read(self) -> None:
        """The life of one consumer."""
        called = {"error_cb": self._erred, "on_commit": self._commits.ended}
        consumer = Consumer(self._settings.consumer(self._group_id) | called)
        self._broken = None
        self._commits.begin()
        try:
            consumer.subscribe([self._topic], on_assign=self._gained, on_revoke=self._revoked, on_lost=self._lost)
            while not self._stopping.is_set():
                self._turn(consumer)
        finally:
            if self._broken is None:
                self._commits.now(consumer)
            consumer.close()
            self._let_go()

    def _turn(self, consumer: Consumer) -> None:
        first = consumer.poll(_POLL_FULL_S if self._paused else _POLL_S)
        if first is not None:
            self._pass_on([first, *consumer.consume(_MOST - 1, 0)])
        self._commits.soon(consumer)
        self._keep_room(consumer)
        if monotonic() >= self._looked_at + _STANDS_S:
            self._looked_at = monotonic()
            with suppress(KafkaException):  # the broker is away: there is nothing to be had
                self._wake_up(consumer)
        if self._broken is not None:
            raise KafkaException(self._broken)

    def _pass_on(self, messages: Sequence[Message]) -> None:
        arrived = []
        for message in messages:
            if (error := message.error()) is None:
                arrived.append(message)
            else:
                self._erred(error)
        self._passed_on += weight(arrived)
        self._call(self._listener.arrived, arrived)

    def _keep_room(self, consumer: Consumer) -> None:
        """Nothing is fetched while too much waits for its hop; the group is still attended to."""
        waiting = self._passed_on - self._listener.done_with
        if waiting >= _FULL and self._paused < self._held:
            consumer.pause(self._partitions(self._held - self._paused))
            self._paused |= self._held
        elif waiting <= _ROOM and self._paused:
            consumer.resume(self._partitions(self._paused))
            self._paused.clear()

    def _wake_up(self, consumer: Consumer) -> None:
        """A partition that stands still although the broker has more of it is taken up anew, where it stands.

        librdkafka may never fetch a partition again whose broker went away at the wrong moment.
        """
        stood, self._stood_at = self._stood_at, {}
        for place in consumer.position(self._partitions(self._held - self._paused)):
            if stood.get(place.partition) == place.offset and self._has_more(consumer, place):
                consumer.incremental_unassign([place])
                consumer.incremental_assign([place])
                consumer.resume([place])
                self._tell(f"partition {place.partition} stood still")
            self._stood_at[place.partition] = place.offset

    def _has_more(self, consumer: Consumer, place: TopicPartition) -> bool:
        """Where nothing has been read since it was gained, it goes on from what was committed, if anything was."""
        first, end = consumer.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=_LOOK_S)
        [at] = [place] if place.offset >= 0 else consumer.committed([place], timeout=_LOOK_S)
        return bool(end > (at.offset if at.offset >= 0 else first))

    def _partitions(self, shards: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, shard) for shard in sorted(shards)]

    def _gained(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        consumer.resume(partitions)  # one that was paused when it went is so still
        self._held.update(_shards(partitions))
        if partitions:
            self._call(self._listener.gained, _shards(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Drains, commits, tells the owner; only then the partitions go to somebody else."""
        if not self._stopping.is_set():
            self._ask(self._listener.leave(_shards(partitions)))
            self._commits.now(consumer)
            self._ask(self._listener.lost(_shards(partitions)))
        self._forget(_shards(partitions))
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """They are somebody else's already: nothing may be committed."""
        self._ask(self._listener.lost(_shards(partitions)))
        self._forget(_shards(partitions))
        consumer.incremental_unassign(partitions)

    def _let_go(self) -> None:
        """A consumer that broke does not say that its partitions are gone."""
        if self._held and not self._stopping.is_set():
            self._ask(self._listener.lost(sorted(self._held)))
        self._forget(sorted(self._held))

    def _forget(self, shards: Sequence[int]) -> None:
        self._held.difference_update(shards)
        self._paused.difference_update(shards)
        self._commits.forget(shards)

    def _erred(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:
            self._broken = error
        self._tell(error)

    def _tell(self, error: object) -> None:
        self._call(self._troubles.tell, error)

    def _call(self, function: Callable[[*Arguments], object], *arguments: *Arguments) -> None:
        """On the loop, soon. A loop that has been closed has no use for a reader."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            self._stopping.set()

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        """Waits until the loop has done it, a bounded time."""
        try:
            asked = asyncio.run_coroutine_threadsafe(work, self._loop)
            asked.result(self._settings.drain_s + _AGAIN_S)
        except (TimeoutError, CancelledError) as error:
            self._tell(f"{error!r}: partitions go before their owner knows")
        except RuntimeError:
            work.close()
            self._stopping.set()


def _shards(partitions: Sequence[TopicPartition]) -> list[int]:
    return [each.partition for each in partitions]
