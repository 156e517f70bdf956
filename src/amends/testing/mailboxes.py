"""The part of a simulated broker that keeps messages: mailboxes, their shards, and who reads them."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from amends.messages import Envelope
from amends.ports import ShardOwner
from amends.testing.processes import Life, Process

if TYPE_CHECKING:
    from amends.testing.network import Network

_TOLD_LATE_S = 10.0
_AGAIN_S = 1.0

Telling = Callable[[], Coroutine[Any, Any, None]]


class Kept(NamedTuple):
    """A message as the broker has it."""

    envelope: Envelope
    shard: int


class Mailbox:
    """The messages of one address for one group of readers, spread over shards."""

    def __init__(self, network: "Network") -> None:
        self.network = network
        self.readers: list[Reading] = []
        self._kept: list[deque[Kept]] = [deque() for _ in range(network.shards)]
        self._away: list[Reading] = []

    @property
    def left(self) -> int:
        return sum(map(len, self._kept)) + sum(reading.given for reading in self.readers)

    def put(self, kept: Kept) -> None:
        self._kept[kept.shard].append(kept)
        self._ring(kept.shard)

    def put_back(self, messages: Sequence[Kept]) -> None:
        """What was given out and not acknowledged, before all that came later."""
        for kept in reversed(messages):
            self._kept[kept.shard].appendleft(kept)

    def take(self, shards: Sequence[int], most: int) -> list[Kept]:
        taken: list[Kept] = []
        for shard in shards:
            while self._kept[shard] and len(taken) < most:
                taken.append(self._kept[shard].popleft())
        return taken

    def join(self, reading: "Reading") -> None:
        self.readers.append(reading)
        self._share_out()

    def drop(self, reading: "Reading") -> None:
        """It reads no more; what it had not acknowledged goes to the others."""
        if reading in self.readers:
            self.readers.remove(reading)
            reading.expel()
            self._share_out()

    def forget(self, process: Process) -> None:
        for reading in [each for each in self.readers if each.process is process]:
            self.drop(reading)
            if process.life is Life.FROZEN:
                self._away.append(reading)

    def take_back(self, process: Process) -> None:
        for reading in [each for each in self._away if each.process is process]:
            self._away.remove(reading)
            reading.come_back()
            self.join(reading)

    def _share_out(self) -> None:
        """Each shard goes to the reader whose turn it is; one that stays where it was is not told of it."""
        for number, reading in enumerate(self.readers):
            reading.assign(set(range(number, self.network.shards, len(self.readers))))

    def _ring(self, shard: int) -> None:
        for reading in self.readers:
            if shard in reading.open_shards:
                reading.arrived.set()


class Reading:
    """A `Subscription`. `open_shards` are those of which its owner has been told."""

    def __init__(self, mailbox: Mailbox, process: Process) -> None:
        self.process = process
        self.open_shards: set[int] = set()
        self.arrived = asyncio.Event()
        self._mailbox = mailbox
        self._assigned: dict[int, object] = {}
        self._given: deque[list[Kept]] = deque()
        self._owner: ShardOwner | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def given(self) -> int:
        """How many messages it has and has not acknowledged."""
        return sum(map(len, self._given))

    async def open(self, owner: ShardOwner) -> None:
        self._owner = owner
        self._mailbox.join(self)

    async def receive(self, most: int) -> Sequence[Envelope]:
        await self.arrived.wait()
        await asyncio.sleep(0)
        if self._closed:
            return []
        batch = self._mailbox.take(sorted(self.open_shards), most)
        if len(batch) < most:
            self.arrived.clear()
        if batch:
            self._given.append(batch)
        for kept in batch:
            self._mailbox.network.told("delivered", kept.envelope, self.process.name)
        return [kept.envelope for kept in batch]

    async def acknowledge(self, batch: Sequence[Envelope]) -> None:
        """What was taken away from this reader meanwhile comes again, to another."""
        if batch and self._given and self._given[0][0].envelope is batch[0]:
            self._given.popleft()

    def close(self) -> None:
        self._closed = True
        self.arrived.set()
        self._mailbox.drop(self)

    def assign(self, shards: set[int]) -> None:
        """Each shard that comes is another one than when it was here before."""
        lost, gained = self._assigned.keys() - shards, shards - self._assigned.keys()
        fresh: dict[int, object] = {shard: object() for shard in sorted(gained)}
        self._assigned = {shard: claim for shard, claim in self._assigned.items() if shard in shards} | fresh
        self.open_shards -= lost
        if lost:
            self._give_back(lost)
            self._tell(partial(self._lose, sorted(lost)))
        if gained:
            self._tell(partial(self._gain, fresh))

    def expel(self) -> None:
        """The broker counts on it no more; it does not know."""
        self._give_back(self._assigned.keys() | self.open_shards)
        self._assigned, self.open_shards = {}, set()

    def come_back(self) -> None:
        """It is told, at once or some time later, that nothing is its own any more."""
        chances = self._mailbox.network.chances
        late = chances.fires("loss told late")
        late_s = chances.of("loss told late").random() * _TOLD_LATE_S if late else 0.0
        self._tell(partial(self._lose, list(range(self._mailbox.network.shards)), late_s))

    def _tell(self, telling: Telling) -> None:
        """The owner is told of one thing after the other, in the order in which they happened."""
        self._telling = self.process.spawn(_after(self._telling, telling))

    def _give_back(self, shards: Collection[int]) -> None:
        given = [kept for batch in self._given for kept in batch]
        self._mailbox.put_back([kept for kept in given if kept.shard in shards])
        left = [[kept for kept in batch if kept.shard not in shards] for batch in self._given]
        self._given = deque(batch for batch in left if batch)

    async def _gain(self, claims: Mapping[int, object]) -> None:
        """Tells the owner, again and again while they are this reader's."""
        while held := self._still(claims):
            try:
                assert self._owner is not None
                await self._owner.gained(held)
            except Exception:
                await asyncio.sleep(_AGAIN_S)
                continue
            self.open_shards |= set(self._still(claims))
            self.arrived.set()
            return

    def _still(self, claims: Mapping[int, object]) -> list[int]:
        return [shard for shard, claim in claims.items() if self._assigned.get(shard) is claim]

    async def _lose(self, shards: list[int], late_s: float = 0.0) -> None:
        await asyncio.sleep(late_s)
        while True:
            try:
                assert self._owner is not None
                await self._owner.lost(shards)
                return
            except Exception:
                await asyncio.sleep(_AGAIN_S)


async def _after(before: "asyncio.Task[None] | None", telling: Telling) -> None:
    if before is not None:
        await asyncio.wait([before])
    await telling()
