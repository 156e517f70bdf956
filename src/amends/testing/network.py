"""What carries messages in a simulated world: a broker, and a way to it that loses, copies, delays and reorders.

    send ─▶ way ─(lost)            ┌─▶ reader, with some of the shards
              └─▶ [kept] ─receipt─▶ taken
                    └─ until acknowledged; a reader that is gone leaves its part to the others

Nothing that was kept is lost, whoever crashes. A frozen reader keeps its shards until the broker has had enough of it;
it learns of that when it wakes.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from zlib import crc32

from amends.messages import Envelope, Kind
from amends.ports import ShardOwner, Taken
from amends.testing.chances import Chances
from amends.testing.loop import SimulatedLoop
from amends.testing.processes import Life, Process

SESSION_S = 5.0
_NEAR_S = 0.01
_APART_S = 1e-5
_LATE_S = 20.0
_AGAIN_S = 1.0

Told = Callable[[str, Envelope], None]


class Kept(NamedTuple):
    """A message as the broker has it."""

    envelope: Envelope
    shard: int


class Network:
    """One for a world. `told` hears what becomes of each message: "sent", "lost", "copied", "delivered"."""

    def __init__(self, loop: SimulatedLoop, chances: Chances, told: Told, shards: int = 1) -> None:
        self.loop = loop
        self.chances = chances
        self.told = told
        self.shards = shards
        self.cut_off: set[str] = set()
        self._mailboxes: dict[tuple[str, str], Mailbox] = {}

    def way_of(self, process: Process) -> "Way":
        return Way(self, process)

    def shard_of(self, key: str) -> int:
        return crc32(key.encode()) % self.shards

    def mailbox(self, address: str, group: str) -> "Mailbox":
        if (address, group) not in self._mailboxes:
            self._mailboxes[address, group] = Mailbox(self)
        return self._mailboxes[address, group]

    def arrive(self, envelope: Envelope) -> None:
        """The broker keeps it, for each group of its readers."""
        groups = [group for address, group in self._mailboxes if address == envelope.to and group]
        for group in groups if envelope.kind is Kind.EVENT else [""]:
            self.mailbox(envelope.to, group).put(Kept(envelope, self.shard_of(envelope.key)))

    def leave(self, process: Process) -> None:
        """The broker has heard nothing of a process for too long."""
        for mailbox in self._mailboxes.values():
            mailbox.forget(process)

    def return_of(self, process: Process) -> None:
        """A reader that had been given up is back."""
        for mailbox in self._mailboxes.values():
            mailbox.take_back(process)


class Way:
    """A `Transport`: the way of one process to the broker."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._last_at: dict[tuple[str, str], float] = {}

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        for envelope in envelopes:
            self._send(envelope, taken)

    def subscribe(self, address: str, group: str = "") -> "Reading":
        return Reading(self._network.mailbox(address, group), self._process)

    def shard_of(self, address: str, key: str) -> int:  # noqa: ARG002 - all addresses are spread alike
        return self._network.shard_of(key)

    def _send(self, envelope: Envelope, taken: Taken) -> None:
        network, chances = self._network, self._network.chances
        network.told("sent", envelope)
        if self._process.name in network.cut_off or chances.fires("message lost"):
            network.told("lost", envelope)
            return
        delay_s = self._behind(envelope, self._delay_s())
        network.loop.outside(delay_s, network.arrive, envelope)
        if not chances.fires("receipt lost"):
            self._process.call(delay_s + self._near_s(), lambda: taken([envelope.id]))
        if chances.fires("message copied"):
            network.told("copied", envelope)
            network.loop.outside(self._delay_s(), network.arrive, envelope)

    def _delay_s(self) -> float:
        """What comes later overtakes one that is late."""
        chances = self._network.chances
        late = chances.fires("message late")
        return self._near_s() + (chances.of("message late").random() * _LATE_S if late else 0.0)

    def _behind(self, envelope: Envelope, delay_s: float) -> float:
        """Messages of a key keep their order, unless one overtakes, or is late."""
        if delay_s > _NEAR_S or self._network.chances.fires("message overtakes"):
            return delay_s
        way, now = (envelope.to, envelope.key), self._network.loop.time()
        at = max(now + delay_s, self._last_at.get(way, 0.0) + _APART_S)
        self._last_at[way] = at
        return at - now

    def _near_s(self) -> float:
        return self._network.chances.of("way").random() * _NEAR_S


class Mailbox:
    """The messages of one address for one group of readers, spread over shards."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.readers: list[Reading] = []
        self._kept: list[deque[Kept]] = [deque() for _ in range(network.shards)]
        self._away: list[Reading] = []

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
        self._assigned: set[int] = set()
        self._given: deque[list[Kept]] = deque()
        self._owner: ShardOwner | None = None
        self._telling: asyncio.Task[None] | None = None
        self._closed = False

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
            self._mailbox.network.told("delivered", kept.envelope)
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
        lost, self._assigned = self._assigned - shards, shards
        gained = shards - self.open_shards
        self.open_shards -= lost
        if lost:
            self._give_back(lost)
            self._tell(self._lose, sorted(lost))
        if gained:
            self._tell(self._gain, sorted(gained))

    def expel(self) -> None:
        """The broker counts on it no more; it does not know."""
        self._give_back(self._assigned | self.open_shards)
        self._assigned, self.open_shards = set(), set()

    def come_back(self) -> None:
        self._tell(self._lose, list(range(self._mailbox.network.shards)))

    def _tell(self, telling: Callable[[list[int]], Awaitable[None]], shards: list[int]) -> None:
        """The owner is told of one thing after the other, in the order in which they happened."""
        self._telling = self.process.spawn(_after(self._telling, telling, shards))

    def _give_back(self, shards: set[int]) -> None:
        given = [kept for batch in self._given for kept in batch]
        self._mailbox.put_back([kept for kept in given if kept.shard in shards])
        left = [[kept for kept in batch if kept.shard not in shards] for batch in self._given]
        self._given = deque(batch for batch in left if batch)

    async def _gain(self, shards: list[int]) -> None:
        """Tells the owner, again and again while they are this reader's."""
        while held := [shard for shard in shards if shard in self._assigned and shard not in self.open_shards]:
            try:
                assert self._owner is not None
                await self._owner.gained(held)
            except Exception:  # noqa: BLE001 whatever the owner lacks, it is told again
                await asyncio.sleep(_AGAIN_S)
                continue
            self.open_shards |= set(held) & self._assigned
            self.arrived.set()
            return

    async def _lose(self, shards: list[int]) -> None:
        while True:
            try:
                assert self._owner is not None
                await self._owner.lost(shards)
                return
            except Exception:  # noqa: BLE001 an owner that can't be told now is told later
                await asyncio.sleep(_AGAIN_S)


async def _after(
    before: "asyncio.Task[None] | None", telling: Callable[[list[int]], Awaitable[None]], shards: list[int]
) -> None:
    if before is not None:
        await asyncio.wait([before])
    await telling(shards)
