"""How far a reader is done, told to the broker: twice a second, one commit at a time; at the end on the spot."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from time import monotonic, sleep

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from amends.adapters.kafka.claims import Offsets

_EVERY_S = 0.5
_SETTLES_S = (0.02, 0.05, 0.1, 0.2, 0.3, 0.0)
_REBALANCING = (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION)


class Commits:
    """The offsets of one topic. All of it runs in the reader's thread, but for `add`."""

    def __init__(self, topic: str, tell: Callable[[object], None]) -> None:
        self._topic = topic
        self._tell = tell
        self._added: deque[Offsets] = deque()
        self._uncommitted: Offsets = {}
        self._under_way: Offsets | None = None
        self._next_at = 0.0

    def add(self, offsets: Offsets) -> None:
        """To be committed soon. On the loop."""
        self._added.append(offsets)

    def begin(self) -> None:
        """Of a consumer that is gone nothing more is heard."""
        self._under_way = None

    def soon(self, consumer: Consumer) -> None:
        """Commits what there is, unless a commit is under way, or was a moment ago."""
        self._collect()
        now = monotonic()
        if self._uncommitted and self._under_way is None and now >= self._next_at:
            self._next_at = now + _EVERY_S
            self._under_way, self._uncommitted = self._uncommitted, {}
            consumer.commit(offsets=self._positions(self._under_way), asynchronous=True)

    def ended(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """What has failed goes with the next commit, unless that is further on."""
        sent, self._under_way = self._under_way, None
        failed = [each for each in (error, *[each.error for each in partitions]) if each is not None]
        if failed and sent is not None:
            self._uncommitted = sent | self._uncommitted
            if failed[0].code() not in _REBALANCING:
                self._tell(failed[0])

    def now(self, consumer: Consumer) -> None:
        """Waits for the broker; a little longer while the group settles."""
        self._collect()
        offsets = self._positions((self._under_way or {}) | self._uncommitted)
        self._under_way, self._uncommitted = None, {}
        for pause_s in _SETTLES_S if offsets else ():
            try:
                consumer.commit(offsets=offsets, asynchronous=False)
                return
            except KafkaException as error:
                if error.args[0].code() not in _REBALANCING or not pause_s:
                    self._tell(error)
                    return
            sleep(pause_s)

    def forget(self, shards: Iterable[int]) -> None:
        """They are somebody else's."""
        self._collect()
        for shard in shards:
            self._uncommitted.pop(shard, None)

    def _collect(self) -> None:
        while self._added:
            self._uncommitted |= self._added.popleft()

    def _positions(self, offsets: Offsets) -> list[TopicPartition]:
        return [TopicPartition(self._topic, shard, offset) for shard, offset in offsets.items()]
