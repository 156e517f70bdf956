"""The whole embedded shop inside one seeded world: its own code, on databases, processes and a network that fail.

    outcomes = play(7)
    assert not outcomes.violations

A run opens with some twenty orders by four users, with deposits, looks and cancellations, while faults of every kind
happen by seed. Then the world heals, everything comes to its end, and what has to hold is looked at.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import NamedTuple

import apsw

from amends.testing.chances import HIGHEST, Fault
from amends.testing.histories import Record
from amends.testing.loop import NothingLeft, TooLong
from amends.testing.machines import HIGHEST_ON_DISK, Machine
from amends.testing.scenarios import Violation
from amends.testing.worlds import World
from tests.simulation.shop_clients import Book, Clients
from tests.simulation.shop_homes import APART, EMBEDDED, ON_NETWORK, SHARED, Shape
from tests.simulation.shop_intruder import Intruder
from tests.simulation.shop_load import Load, load_of
from tests.simulation.shop_oracles import Judge, unrest
from tests.simulation.shop_sown import begin, sown

ORDERS = 20
HIGHEST_HERE: Mapping[str, float] = {
    **HIGHEST,
    "participant fails": 0.4,
    "answer lost": 0.1,
    "gateway slow": 0.3,
    "gateway fails": 0.3,
    "gateway answer lost": 0.3,
}
_SHAPES = (EMBEDDED, EMBEDDED, ON_NETWORK, APART, SHARED)
_GRAINS = (0.0, 0.5, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0)
_TROUBLED_S = 20.0
_LONGEST_S = 1800.0
_GRAIN_S = 2.0
_SLOWER = 1.2
_SLOWEST_S = 30.0


class Outcomes(NamedTuple):
    """What a seed came to."""

    seed: int
    shape: str
    violations: list[Violation]
    record: Record
    happened: Sequence[Fault]
    ended: Mapping[str, int]
    mended: int
    turns: int

    @property
    def faults(self) -> Counter[str]:
        """How often each kind has happened."""
        return Counter(fault.kind for fault in self.happened)


def play(
    seed: int,
    *,
    rates: Mapping[str, float] | None = None,
    only: Collection[Fault] | None = None,
    orders: int = ORDERS,
    shape: Shape | None = None,
    load: Load | None = None,
) -> Outcomes:
    """Runs one seed from beginning to end; `shape` and `load` are drawn by seed unless given.

    Of all faults `only` these happen, when they are given.
    """
    run = _Run(seed, rates, only, load or load_of(seed, orders), shape)
    try:
        run.go()
        return run.outcomes()
    finally:
        run.close()


class _Run:
    def __init__(
        self,
        seed: int,
        rates: Mapping[str, float] | None,
        only: Collection[Fault] | None,
        load: Load,
        shape: Shape | None,
    ) -> None:
        databases, chance = sown(), Random(f"{seed} shop")
        self.shape = chance.choice(_SHAPES) if shape is None else shape
        highest = {**HIGHEST_HERE, **HIGHEST_ON_DISK} if self.shape.disk else HIGHEST_HERE
        self.world = World(seed, rates, only=only, shards=chance.choice((1, 3)), highest=highest)
        self.machine = Machine(self.world) if self.shape.disk else None
        self.world.hurry(chance.choice(_GRAINS))
        self.troubled_s = _TROUBLED_S * chance.random() ** 2
        self.line = begin(self.world, self.shape, databases, self.machine)
        self.book = Book()
        self.load = load
        self.clients = Clients(self.line, load, self.book)
        self.judge = Judge(self.world, self.book)

    def go(self) -> None:
        try:
            self.world.run(self._story())
            self.judge.check_files()
        except (NothingLeft, TooLong, TimeoutError) as error:
            self.judge.violated("it comes to rest", f"{type(error).__name__}: {error}; {self.judge.unrest()}")
        except apsw.Error as error:
            self.judge.violated("databases can be read", f"{type(error).__name__}: {error}")
        for failure in self.world.failures():
            self.judge.violated("no task dies", failure)

    def close(self) -> None:
        self.world.close()
        if self.machine is not None:
            self.machine.close()

    def outcomes(self) -> Outcomes:
        world = self.world
        return Outcomes(
            world.seed,
            self.shape.name,
            self.judge.violations,
            world.record,
            world.chances.faults,
            self.judge.ends(),
            self.book.mended,
            world.loop.turns,
        )

    async def _story(self) -> None:
        async with asyncio.timeout(_LONGEST_S):
            clients = asyncio.gather(self.clients.run(), self._intrude())
            await asyncio.sleep(4.0 + self.troubled_s / 2)
            await self.judge.look()
            await asyncio.sleep(self.troubled_s / 2)
            if self.machine is not None:
                self.machine.heal()
            self.world.heal()
            self.world.hurry(_GRAIN_S)
            await clients
            await self._settle()
        self.world.tell("world", "settled")
        await self.judge.end()

    async def _intrude(self) -> None:
        if self.load.intruding:
            await Intruder(self.world, self.book, Random(f"{self.world.seed} intruder")).run(self.load.orders)

    async def _settle(self) -> None:
        """Whatever is stuck is mended by the operator, now that nothing fails any more; timers are late, and later."""
        grain_s = _GRAIN_S
        while unrest(self.world):
            await self.clients.mend()
            await asyncio.sleep(grain_s)
            grain_s = min(grain_s * _SLOWER, _SLOWEST_S)
            self.world.hurry(grain_s)
