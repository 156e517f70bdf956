"""The shortest run of a simulated shop that still fails: one line that shows it again, its history, a picture.

shortest = shorten(play(4711), time_s=30.0)
print(shortest.replay)      # python -m tests.simulation.soak --seed 4711 --orders 2 --only "crash 3"
"""

import time
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from amends.testing.chances import Fault
from amends.testing.exploring import concerned, told
from amends.testing.histories import to_svg
from amends.testing.shortening import Shortening
from tests.simulation.shop_homes import ON_DISK, Shape
from tests.simulation.shop_world import ORDERS, Outcomes, play

MOST_TRIES = 400
_SHOWN = 80


class Shortest(msgspec.Struct):
    """What is shown of a seed that failed: `lines` for people, `picture` as SVG, `disk`: it ran on one."""

    seed: int
    orders: int
    faults: list[str]
    violations: list[str]
    tries: int
    lines: list[str]
    picture: str
    disk: bool = False

    @property
    def replay(self) -> str:
        """The command that shows this run again."""
        disk = " --disk" if self.disk else ""
        return f'python -m tests.simulation.soak{disk} --seed {self.seed} --orders {self.orders} --only "{self._only}"'

    @property
    def _only(self) -> str:
        return ", ".join(self.faults)

    def draw(self, folder: Path) -> Path:
        """Where the picture is."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"seed-{self.seed}.svg"
        path.write_text(self.picture, encoding="utf-8")
        return path

    def told(self) -> list[str]:
        """What is wrong, and what it takes."""
        faults = self._only or "no fault at all"
        return [f"shortest run that fails ({self.tries} tries): {self.orders} order(s), {faults}", *self.violations]


def shorten(found: Outcomes, time_s: float, orders: int = ORDERS, shape: Shape | None = None) -> Shortest:
    """Fewer orders, then fewer faults, in at most `time_s` seconds of processor time; of that `shape`, or by seed."""

    def run(size: int, *, only: Collection[Fault] | None, rates: Mapping[str, float] | None) -> Outcomes:
        return play(found.seed, only=only, rates=rates, orders=size, shape=shape)

    until = time.process_time() + time_s
    tries = Shortening(run, found, orders, MOST_TRIES, lambda: time.process_time() > until)
    tries.shorten()
    return shown(tries.best, tries.size, tries.count)


def shown(outcomes: Outcomes, orders: int, tries: int = 0) -> Shortest:
    """A run that has failed, as it is."""
    title = f"Seed {outcomes.seed}: {outcomes.violations[0].what}"
    return Shortest(
        seed=outcomes.seed,
        orders=orders,
        faults=[str(fault) for fault in outcomes.happened],
        violations=[f"{each.what}: {each.detail}" for each in outcomes.violations],
        tries=tries,
        lines=told(outcomes.record, outcomes.violations, _SHOWN),
        picture=to_svg(concerned(outcomes.record, outcomes.violations), title),
        disk=outcomes.shape == ON_DISK.name,
    )
