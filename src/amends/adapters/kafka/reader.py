"""The thread that reads one topic for one group, and tells the event loop of it.

Everything that Kafka's consumer does happens here; what it brings is decided on the loop. Offsets are committed some
times a second, one commit at a time; when a partition goes, and at the end, on the spot.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any, Protocol, TypeVarTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from amends.adapters.kafka.claims import Offsets, weight
from amends.adapters.kafka.settings import KafkaSettings
from amends.adapters.kafka.troubles import Troubles

Arguments = TypeVarTuple("Arguments")

_POLL_S = 0.1
_POLL_FULL_S = 0.01
_COMMIT_EVERY_S = 0.1
_AGAIN_S = 1.0
_REBALANCING = (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION)
_SETTLES_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.0)
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
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, name=f"amends kafka {group_id}", daemon=True)
        self._stopping = Event()
        self._ended = asyncio.Event()
        self._acknowledged: deque[Offsets] = deque()
        self._uncommitted: Offsets = {}
        self._committing: Offsets | None = None
        self._commit_at = 0.0
        self._passed_on = 0
        self._is_full = False

    def start(self) -> None:
        self._thread.start()

    def commit(self, offsets: Offsets) -> None:
        """Soon. On the loop."""
        self._acknowledged.append(offsets)

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
            except KafkaException as error:
                self._tell(error)
                self._stopping.wait(_AGAIN_S)
        self._call(self._ended.set)

    def _read(self) -> None:
        """The life of one consumer."""
        consumer = Consumer(self._settings.consumer(self._group_id) | {"error_cb": self._tell, "on_commit": self._done})
        self._committing = None
        try:
            consumer.subscribe([self._topic], on_assign=self._gained, on_revoke=self._revoked, on_lost=self._lost)
            while not self._stopping.is_set():
                self._turn(consumer)
        finally:
            self._commit_now(consumer)
            consumer.close()

    def _turn(self, consumer: Consumer) -> None:
        first = consumer.poll(_POLL_FULL_S if self._is_full else _POLL_S)
        if first is not None:
            self._pass_on([first, *consumer.consume(_MOST - 1, 0)])
        self._commit_soon(consumer)
        self._keep_room(consumer)

    def _pass_on(self, messages: Sequence[Message]) -> None:
        arrived = []
        for message in messages:
            if (error := message.error()) is None:
                arrived.append(message)
            elif error.fatal():
                raise KafkaException(error)
            else:
                self._tell(error)
        self._passed_on += weight(arrived)
        self._call(self._listener.arrived, arrived)

    def _keep_room(self, consumer: Consumer) -> None:
        """Nothing is fetched while too much waits for its hop; the group is still attended to."""
        waiting = self._passed_on - self._listener.done_with
        if waiting >= _FULL and not self._is_full:
            self._is_full = True
            consumer.pause(consumer.assignment())
        elif waiting <= _ROOM and self._is_full:
            self._is_full = False
            consumer.resume(consumer.assignment())

    def _gained(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        self._is_full = False
        if partitions:
            self._call(self._listener.gained, _shards(partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Drains, commits, tells the owner; only then the partitions go to somebody else."""
        if not self._stopping.is_set():
            self._ask(self._listener.leave(_shards(partitions)))
            self._commit_now(consumer)
            self._ask(self._listener.lost(_shards(partitions)))
        self._forget(partitions)
        consumer.incremental_unassign(partitions)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """They are somebody else's already: nothing may be committed."""
        self._ask(self._listener.lost(_shards(partitions)))
        self._forget(partitions)
        consumer.incremental_unassign(partitions)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        self._collect()
        for shard in _shards(partitions):
            self._uncommitted.pop(shard, None)

    def _collect(self) -> None:
        while self._acknowledged:
            self._uncommitted |= self._acknowledged.popleft()

    def _commit_soon(self, consumer: Consumer) -> None:
        self._collect()
        now = monotonic()
        if self._uncommitted and self._committing is None and now >= self._commit_at:
            self._commit_at = now + _COMMIT_EVERY_S
            self._committing, self._uncommitted = self._uncommitted, {}
            consumer.commit(offsets=self._positions(self._committing), asynchronous=True)

    def _done(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """A commit has ended; what has failed goes with the next one, unless that is further on."""
        sent, self._committing = self._committing, None
        failed = [each for each in (error, *[each.error for each in partitions]) if each is not None]
        if failed and sent is not None:
            self._uncommitted = sent | self._uncommitted
            if failed[0].code() not in _REBALANCING:
                self._tell(failed[0])

    def _commit_now(self, consumer: Consumer) -> None:
        """Waits for the broker; a little longer while the group settles."""
        self._collect()
        offsets = self._positions((self._committing or {}) | self._uncommitted)
        self._committing, self._uncommitted = None, {}
        for pause_s in _SETTLES_S if offsets else ():
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
                return
            except KafkaException as error:
                if error.args[0].code() not in _REBALANCING or not pause_s:
                    self._tell(error)
                    return
            sleep(pause_s)

    def _positions(self, offsets: Offsets) -> list[TopicPartition]:
        return [TopicPartition(self._topic, shard, offset) for shard, offset in offsets.items()]

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
            self._tell(f"{self._group_id}: {error!r}: partitions go before their owner knows")
        except RuntimeError:
            work.close()
            self._stopping.set()


def _shards(partitions: Sequence[TopicPartition]) -> list[int]:
    return [each.partition for each in partitions]
