"""The transport inside one process: a queue an address.

A message counts as taken when its consumer has acknowledged it: until then its outbox row stays, and a crash loses
nothing.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from amends.messages import Envelope, MessageId
from amends.ports import Taken


class InProcess:
    """A `Transport`. One subscription an address; messages of all keys in the order in which they were sent."""

    def __init__(self) -> None:
        self._queues: dict[str, Queue] = {}

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        for envelope in envelopes:
            self._queue(envelope.to).put(envelope, taken)

    def subscribe(self, address: str) -> "Queue":
        return self._queue(address)

    def _queue(self, address: str) -> "Queue":
        queue = self._queues.get(address)
        if queue is None:
            queue = self._queues[address] = Queue()
        return queue


class Queue:
    """A `Subscription`."""

    def __init__(self) -> None:
        self._messages: deque[tuple[Envelope, Taken]] = deque()
        self._received: dict[MessageId, Taken] = {}
        self._arrived = asyncio.Event()
        self._closed = False

    def put(self, envelope: Envelope, taken: Taken) -> None:
        self._messages.append((envelope, taken))
        self._arrived.set()

    async def receive(self, most: int) -> Sequence[Envelope]:
        await self._arrived.wait()
        await asyncio.sleep(0)
        if self._closed:
            return []
        batch = [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
        if not self._messages:
            self._arrived.clear()
        for envelope, taken in batch:
            self._received[envelope.id] = taken
        return [envelope for envelope, _ in batch]

    async def acknowledge(self, batch: Sequence[Envelope]) -> None:
        senders: dict[Taken, list[MessageId]] = {}
        for envelope in batch:
            taken = self._received.pop(envelope.id, None)
            if taken is not None:
                senders.setdefault(taken, []).append(envelope.id)
        for taken, ids in senders.items():
            taken(ids)

    def close(self) -> None:
        self._closed = True
        self._arrived.set()
