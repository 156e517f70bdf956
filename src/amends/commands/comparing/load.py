"""A closed loop: so many buyers at a time, each orders anew when its order has ended."""

import math
from collections.abc import Iterator, Sequence

import msgspec

from amends.commands.comparing.world import World
from amends.comparison import Pattern, Place
from amends.history import Entry
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Signal
from amends.state import ENDED, Status

IN_FLIGHT = 20
_ENDS = ENDED | {Status.STUCK}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Times in ms. `held`: from when a participant has reserved until that can't be undone any more, or was."""

    orders: int
    completed: int
    per_s: float
    p50_ms: float
    p99_ms: float
    held_p50_ms: float
    held_p99_ms: float


class Load:
    """Places orders in a world, in which nothing else goes on."""

    def __init__(self, world: World, place: Place) -> None:
        self._world = world
        self._place = place
        self._numbers: Iterator[int] = iter(())
        self._ends: dict[SagaId, float] = {}
        self._completed = 0
        self._waiting: dict[SagaId, Signal] = {}
        self._took: dict[SagaId, float] = {}
        world.coordinator.watch.every(self._moved)

    async def measure(self, pattern: Pattern, first: int, orders: int, longest_s: float) -> Figures:
        """Orders numbered from `first`; after `longest_s` seconds no more are placed."""
        self._took, self._completed = {}, 0
        runtime = self._world.runtime
        began = runtime.now()
        await self.run(first, orders, longest_s)
        took_s = max((self._ends[id] for id in self._took), default=began) - began
        took = sorted(self._took.values())
        held = sorted(await self._held(pattern, sorted(self._took)))
        return Figures(
            orders=len(took),
            completed=self._completed,
            per_s=len(took) / took_s if took_s > 0 else 0.0,
            p50_ms=1000 * percentile(took, 0.5),
            p99_ms=1000 * percentile(took, 0.99),
            held_p50_ms=1000 * percentile(held, 0.5),
            held_p99_ms=1000 * percentile(held, 0.99),
        )

    async def run(self, first: int, orders: int, longest_s: float) -> None:
        runtime = self._world.runtime
        self._numbers = iter(range(first, first + orders))
        until = runtime.now() + longest_s
        buyers = [runtime.spawn(self._buy(until), f"buyer {nth}") for nth in range(min(IN_FLIGHT, orders))]
        for buyer in buyers:
            await buyer.join()

    async def _buy(self, until: float) -> None:
        runtime = self._world.runtime
        for nth in self._numbers:
            began = runtime.now()
            if began > until:
                return
            id = await self._place(nth)
            if id not in self._ends:
                self._waiting[id] = runtime.signal()
                await self._waiting[id].wait()
            self._took[id] = self._ends[id] - began

    def _moved(self, moved: Sequence[Instance]) -> None:
        for each in moved:
            if each.state.status in _ENDS and each.id not in self._ends:
                self._ends[each.id] = self._world.runtime.now()
                self._completed += each.state.status is Status.COMPLETED
                if waiting := self._waiting.pop(each.id, None):
                    waiting.set()

    async def _held(self, pattern: Pattern, ids: Sequence[SagaId]) -> list[float]:
        storage = self._world.home.storage
        async with storage.reading() as reader:
            sagas = await storage.sagas.load(reader, ids)
        return [seconds for each in sagas.values() for seconds in held_s(pattern, each.state.history)]


def held_s(pattern: Pattern, history: Sequence[Entry]) -> Iterator[float]:
    """How long each participant of a saga has held what it had reserved, in seconds.

    A step that was refused holds nothing.
    """
    index = pattern.saga.index
    since = {(entry.step, entry.what): entry.at for entry in history}
    for step, until in pattern.until.items():
        reserved = since.get((index[step], "done"))
        ended = since.get((index[until], "done")) or since.get((index[step], "undone"))
        if reserved is not None and ended is not None:
            yield ended - reserved


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the ordered values don't exceed; 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
