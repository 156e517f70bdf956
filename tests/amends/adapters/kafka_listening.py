"""Waiting for what a transport tells, without looking again and again."""

import asyncio
from collections.abc import Callable, Sequence

from amends.conformance.transport_suite import PATIENCE_S, Owner
from amends.messages import Envelope, MessageId
from amends.ports import Subscription
from amends.signals import Field, Signals


class Remembered:
    """Grows, and wakes who waits for it."""

    def __init__(self) -> None:
        self._grown = asyncio.Event()

    def grow(self) -> None:
        self._grown.set()

    async def until(self, reached: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(patience_s):
            while not reached():
                self._grown.clear()
                await self._grown.wait()


class Takings(Remembered):
    """A `Taken` that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[MessageId] = []

    def __call__(self, ids: Sequence[MessageId]) -> None:
        self.ids += ids
        self.grow()

    async def all_of(self, sent: Sequence[Envelope], patience_s: float = PATIENCE_S) -> None:
        """Every one is taken, none twice."""
        await self.until(lambda: len(self.ids) >= len(sent), patience_s)
        assert sorted(self.ids) == sorted(each.id for each in sent)


class Heard(Remembered):
    """The signals that were emitted."""

    def __init__(self) -> None:
        super().__init__()
        self.signals = Signals()
        self.signals.listen(self._hear)
        self._told: list[tuple[str, dict[str, Field]]] = []

    def of(self, name: str) -> list[dict[str, Field]]:
        return [fields for told, fields in self._told if told == name]

    async def first(self, name: str) -> dict[str, Field]:
        await self.until(lambda: bool(self.of(name)))
        return self.of(name)[0]

    async def error(self, name: str, text: str) -> None:
        """A signal of that name has told of an error that says so."""
        await self.until(lambda: any(text in str(fields["error"]) for fields in self.of(name)))

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        self._told.append((name, fields))
        self.grow()


class WatchedOwner(Owner, Remembered):
    """A `ShardOwner` whose shards can be waited for."""

    def __init__(self) -> None:
        Owner.__init__(self)
        Remembered.__init__(self)

    async def gained(self, shards: Sequence[int]) -> None:
        await super().gained(shards)
        self.grow()

    async def lost(self, shards: Sequence[int]) -> None:
        await super().lost(shards)
        self.grow()

    async def has(self, count: int) -> None:
        await self.until(lambda: len(self.shards) == count)


class Floor(Remembered):
    """Where desks read side by side: what came to any of them, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[Envelope] = []
        self._desks: list[Desk] = []

    async def desk(self, subscription: Subscription, shards: int) -> "Desk":
        """Opens one; returns when it has so many shards."""
        self._desks.append(Desk(subscription, self))
        await self._desks[-1].open()
        await self._desks[-1].owner.has(shards)
        return self._desks[-1]

    async def has(self, sent: Sequence[Envelope]) -> None:
        """Everything has come, and each key's in order; what came again doesn't count."""
        await self.until(lambda: len({each.id for each in self.messages}) >= len(sent))
        firsts = list({each.id: each for each in self.messages}.values())
        for key in {each.key for each in sent}:
            assert [each for each in firsts if each.key == key] == [each for each in sent if each.key == key]

    async def close(self) -> None:
        for desk in self._desks:
            await desk.close()


class Desk:
    """Reads one subscription until it is closed."""

    def __init__(self, subscription: Subscription, floor: Floor) -> None:
        self.owner = WatchedOwner()
        self.messages: list[Envelope] = []
        self._subscription = subscription
        self._floor = floor
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._subscription.open(self.owner)
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def close(self) -> None:
        self._subscription.close()
        if self._task is not None:
            await self._task

    async def _read(self) -> None:
        while batch := await self._subscription.receive(50):
            self.messages += batch
            self._floor.messages += batch
            self._floor.grow()
            await asyncio.sleep(0)  # a hop
            await self._subscription.acknowledge(batch)
