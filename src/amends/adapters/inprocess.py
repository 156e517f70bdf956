"""The transport inside one process: a queue an address.

A message counts as taken when its consumer has acknowledged it: until then its outbox row stays, and a crash loses
nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from amends.messages import Envelope, Kind, MessageId
from amends.ports import ShardOwner, Taken


class InProcess:
    """A `Transport`. Commands and replies go to the one reader of their address, events to every group of their topic.

    Messages of all keys come in the order in which they were sent. An event that nobody reads is taken at once.
    """

    def __init__(self) -> None:
        self._queues: dict[str, dict[str, Queue]] = {}
        self._moving = 0
        self._fewer = asyncio.Event()

    async def drained(self, left: int = 0) -> None:
        """Waits until all messages that were sent have been acknowledged but for so many.

        Who brings new work in waits for this: what is under way comes to its end first, and new work gathers into one
        batch meanwhile. Otherwise many small batches, each at another stage, wait for each other.
        """
        while self._moving > left:
            self._fewer.clear()
            await self._fewer.wait()

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        by_address: dict[str, list[Envelope]] = {}
        for envelope in envelopes:
            by_address.setdefault(envelope.to, []).append(envelope)
        for address, messages in by_address.items():
            if messages[0].kind is Kind.EVENT:
                self._tell(address, messages, taken)
            else:
                self._queue(address, "").put(messages, taken)
                self._move(len(messages))

    def subscribe(self, address: str, group: str = "") -> "Queue":
        return self._queue(address, group)

    def shard_of(self, address: str, key: str) -> int:  # noqa: ARG002 - there is one shard
        return 0

    def _tell(self, topic: str, events: list[Envelope], taken: Taken) -> None:
        queues = list(self._queues.get(topic, {}).values())
        if not queues:
            taken([each.id for each in events])
        heard = taken if len(queues) == 1 else _after(len(queues), taken)
        for queue in queues:
            queue.put(events, heard)
            self._move(len(events))

    def _queue(self, address: str, group: str) -> "Queue":
        groups = self._queues.setdefault(address, {})
        if group not in groups:
            groups[group] = Queue(self._move)
        return groups[group]

    def _move(self, count: int) -> None:
        self._moving += count
        if count < 0:
            self._fewer.set()


def _after(count: int, taken: Taken) -> Taken:
    """Tells of a message when `count` readers have taken it."""
    left: dict[MessageId, int] = {}

    def one_more(ids: Sequence[MessageId]) -> None:
        for id in ids:
            left[id] = left.get(id, count) - 1
        taken([id for id in ids if not left[id]])

    return one_more


class Queue:
    """A `Subscription`. Holds what was sent together in one piece, with whom to tell that it is taken."""

    def __init__(self, moved: Callable[[int], None]) -> None:
        self._moved = moved
        self._pieces: deque[tuple[list[Envelope], Taken]] = deque()
        self._received: deque[tuple[list[Envelope], Taken]] = deque()
        self._arrived = asyncio.Event()
        self._closed = False

    async def open(self, owner: ShardOwner) -> None:
        """The only reader has the only shard."""
        await owner.gained([0])

    def put(self, messages: list[Envelope], taken: Taken) -> None:
        self._pieces.append((messages, taken))
        self._arrived.set()

    async def receive(self, most: int) -> Sequence[Envelope]:
        await self._arrived.wait()
        await asyncio.sleep(0)
        if self._closed:
            return []
        batch: list[Envelope] = []
        while self._pieces and len(batch) < most:
            messages, taken = self._take(most - len(batch))
            batch += messages
            self._received.append((messages, taken))
        if not self._pieces:
            self._arrived.clear()
        return batch

    async def acknowledge(self, batch: Sequence[Envelope]) -> None:
        """Batches are acknowledged in the order in which they were received, whole."""
        left = len(batch)
        while left > 0:
            messages, taken = self._received.popleft()
            left -= len(messages)
            taken([envelope.id for envelope in messages])
        self._moved(-len(batch))

    def close(self) -> None:
        self._closed = True
        self._arrived.set()

    def _take(self, most: int) -> tuple[list[Envelope], Taken]:
        messages, taken = self._pieces.popleft()
        if len(messages) > most:
            self._pieces.appendleft((messages[most:], taken))
        return messages[:most], taken
