"""Runs the simulated shop over many seeds, on two processes, until it has had its seeds or its minutes.

    python -m tests.simulation.soak --seeds 10000 --minutes 60 --state /tmp/soak.json
    python -m tests.simulation.soak --seed 4711
    python -m tests.simulation.soak --disk --seeds 500

The state file remembers the next seed and what was counted so far: the same command goes on where it stopped. A seed
that fails is made as short as it can be and still fail, within half a minute, and told at once: the line that shows it
again, and where the picture of it is. Every tenth seed runs on a simulated disk; with `--disk` each does.
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import msgspec

from amends.testing.chances import Fault
from tests.simulation.shop_homes import ON_DISK, Shape
from tests.simulation.shop_shortest import shorten, shown
from tests.simulation.shop_world import ORDERS, Outcomes, play

PROCESSES = 2
AT_ONCE = 5
PICTURES = Path(".soak")
_SHORTENING_S = 30.0
_ON_DISK_EVERY = 10


class Tally(msgspec.Struct):
    """What seeds came to; `failed` by seed what did not hold. The times are in seconds, `busy_s` of one core.

    `replays` by seed the line that shows the shortest run again.
    """

    next_seed: int = 0
    seeds: int = 0
    busy_s: float = 0.0
    turns: int = 0
    mended: int = 0
    faults: dict[str, int] = {}
    ends: dict[str, int] = {}
    shapes: dict[str, int] = {}
    failed: dict[int, list[str]] = {}
    replays: dict[int, str] = {}

    def add(self, other: "Tally") -> None:
        self.seeds += other.seeds
        self.busy_s += other.busy_s
        self.turns += other.turns
        self.mended += other.mended
        self.failed |= other.failed
        self.replays |= other.replays
        for mine, more in ((self.faults, other.faults), (self.ends, other.ends), (self.shapes, other.shapes)):
            for kind, count in more.items():
                mine[kind] = mine.get(kind, 0) + count

    def lines(self) -> Iterator[str]:
        """The table at the end."""
        yield f"{'seeds':<24}{self.seeds:>10}"
        yield f"{'seeds/s of one core':<24}{self.seeds / max(self.busy_s, 1e-9):>10.1f}"
        yield f"{'turns a seed':<24}{self.turns // max(self.seeds, 1):>10}"
        yield f"{'mended by the operator':<24}{self.mended:>10}"
        for title, counts in (("shapes", self.shapes), ("orders", self.ends), ("faults", self.faults)):
            yield title
            yield from (f"  {kind:<30}{counts[kind]:>10}" for kind in sorted(counts))
        yield f"{'seeds that failed':<24}{len(self.failed):>10}"
        for seed in sorted(self.failed):
            yield f"  {self.replays[seed]}    # {self.failed[seed][0]}"


def run_seeds(
    seeds: Sequence[int], pictures: Path = PICTURES, shortening_s: float = _SHORTENING_S, disk: bool = False
) -> Tally:
    """Some seeds, in this process; one that fails is made shorter for so long, and drawn."""
    gc.set_threshold(100_000, 50, 50)
    tally = Tally()
    for seed in seeds:
        began = time.process_time()
        try:
            tally.add(_played(seed, pictures, shortening_s, _shape_of(seed, disk)))
        except Exception as error:  # the harness broke: that is a failure, too
            replay = _replay(seed, _shape_of(seed, disk))
            tally.add(Tally(seeds=1, failed={seed: [f"{type(error).__name__}: {error}"]}, replays={seed: replay}))
        tally.busy_s += time.process_time() - began
    return tally


def soak(
    tally: Tally,
    last_seed: int,
    minutes: float,
    state: Path | None,
    pictures: Path = PICTURES,
    *,
    disk: bool = False,
) -> None:
    """Adds seeds to what is counted already, up to `last_seed` or the time."""
    until, began, waiting = time.monotonic() + minutes * 60, tally.next_seed, dict[Future[Tally], range]()
    ahead = tally.next_seed
    with ProcessPoolExecutor(PROCESSES) as pool:
        while True:
            while len(waiting) < 2 * PROCESSES and ahead < last_seed and time.monotonic() < until:
                seeds = range(ahead, min(ahead + AT_ONCE, last_seed))
                waiting[pool.submit(run_seeds, seeds, pictures, disk=disk)] = seeds
                ahead = seeds.stop
            if not waiting:
                return
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                del waiting[done]
                _take(tally, done.result())
            tally.next_seed = min([seeds.start for seeds in waiting.values()], default=ahead)
            _keep(tally, state)
            _show(f"{tally.seeds} seeds, {tally.next_seed - began} now, {len(tally.failed)} failed")


def _shape_of(seed: int, disk: bool) -> Shape | None:
    return ON_DISK if disk or seed % _ON_DISK_EVERY == _ON_DISK_EVERY - 1 else None


def _played(seed: int, pictures: Path, shortening_s: float, shape: Shape | None) -> Tally:
    outcomes = play(seed, shape=shape)
    tally = _tally_of(outcomes)
    if outcomes.violations:
        shortest = shorten(outcomes, shortening_s, shape=shape)
        shortest.draw(pictures)
        tally.replays[seed] = shortest.replay
    return tally


def _replay(seed: int, shape: Shape | None) -> str:
    return f"python -m tests.simulation.soak{' --disk' if shape is ON_DISK else ''} --seed {seed}"


def _tally_of(outcomes: Outcomes) -> Tally:
    failed = [f"{each.what}: {each.detail}" for each in outcomes.violations]
    return Tally(
        seeds=1,
        turns=outcomes.turns,
        mended=outcomes.mended,
        faults=dict(outcomes.faults),
        ends=dict(outcomes.ended),
        shapes={outcomes.shape: 1},
        failed={outcomes.seed: failed} if failed else {},
    )


def _take(tally: Tally, more: Tally) -> None:
    for seed, failed in more.failed.items():
        print(f"\nseed {seed} fails: {failed[0]}\n  {more.replays[seed]}", flush=True)
    tally.add(more)


def _keep(tally: Tally, state: Path | None) -> None:
    if state is not None:
        state.write_bytes(msgspec.json.encode(tally))


def _show(line: str) -> None:
    print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)


def _known(state: Path | None) -> Tally:
    if state is None or not state.exists():
        return Tally()
    return msgspec.json.decode(state.read_bytes(), type=Tally)


def show_seed(seed: int, orders: int, only: Sequence[Fault] | None, pictures: Path, shape: Shape | None = None) -> int:
    """One seed; when it fails, the shortest run of it that still does, unless `only` says which faults happen."""
    outcomes = play(seed, orders=orders, only=only, shape=shape)
    print(f"seed {seed}, {outcomes.shape}: {dict(outcomes.faults)}, {dict(outcomes.ended)}")
    if not outcomes.violations:
        print("nothing is wrong")
        return 0
    shortest = shorten(outcomes, _SHORTENING_S, orders, shape) if only is None else shown(outcomes, orders)
    for line in [*shortest.lines, *shortest.told(), f"picture: {shortest.draw(pictures)}", shortest.replay]:
        print(line)
    return 1


def faults_of(told: str) -> list[Fault]:
    """Faults as `--only` takes them."""
    return [Fault.parse(each) for each in told.split(",") if each.strip()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10_000, help="up to this seed (10000)")
    parser.add_argument("--minutes", type=float, default=60.0, help="no longer than this (60)")
    parser.add_argument("--state", type=Path, help="remembers here how far it is")
    parser.add_argument("--seed", type=int, help="only this one, and what happened in it")
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"with --seed: so many orders ({ORDERS})")
    parser.add_argument("--only", type=faults_of, metavar="FAULTS", help="with --seed: no other faults than these")
    parser.add_argument("--pictures", type=Path, default=PICTURES, help="where failures are drawn (.soak)")
    parser.add_argument("--disk", action="store_true", help="every seed on a simulated disk, not only every tenth")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        shape = ON_DISK if arguments.disk else None
        return show_seed(arguments.seed, arguments.orders, arguments.only, arguments.pictures, shape)
    tally = _known(arguments.state)
    soak(tally, arguments.seeds, arguments.minutes, arguments.state, arguments.pictures, disk=arguments.disk)
    print("\n" + "\n".join(tally.lines()))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
