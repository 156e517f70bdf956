"""Runs the simulated shop over many seeds, on two processes, until it has had its seeds or its minutes.

    python -m tests.simulation.soak --seeds 10000 --minutes 60 --state /tmp/soak.json
    python -m tests.simulation.soak --seed 4711

The state file remembers the next seed and what was counted so far: the same command goes on where it stopped. A seed
that fails is told at once, with the command that shows it again.
"""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import msgspec

from tests.simulation.shop_world import ORDERS, Outcomes, play

PROCESSES = 2
AT_ONCE = 5
_SHOWN = 120


class Tally(msgspec.Struct):
    """What seeds came to; `failed` by seed what did not hold. The times are in seconds, `busy_s` of one core."""

    next_seed: int = 0
    seeds: int = 0
    busy_s: float = 0.0
    turns: int = 0
    mended: int = 0
    faults: dict[str, int] = {}
    ends: dict[str, int] = {}
    shapes: dict[str, int] = {}
    failed: dict[int, list[str]] = {}

    def add(self, other: "Tally") -> None:
        self.seeds += other.seeds
        self.busy_s += other.busy_s
        self.turns += other.turns
        self.mended += other.mended
        self.failed |= other.failed
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
            yield f"  python -m tests.simulation.soak --seed {seed}    # {self.failed[seed][0]}"


def run_seeds(seeds: Sequence[int]) -> Tally:
    """Some seeds, in this process."""
    gc.set_threshold(100_000, 50, 50)
    tally = Tally()
    for seed in seeds:
        began = time.process_time()
        try:
            tally.add(_tally_of(play(seed)))
        except Exception as error:  # the harness broke: that is a failure, too
            tally.add(Tally(seeds=1, failed={seed: [f"{type(error).__name__}: {error}"]}))
        tally.busy_s += time.process_time() - began
    return tally


def soak(tally: Tally, last_seed: int, minutes: float, state: Path | None) -> None:
    """Adds seeds to what is counted already, up to `last_seed` or the time."""
    until, began, waiting = time.monotonic() + minutes * 60, tally.next_seed, dict[Future[Tally], range]()
    ahead = tally.next_seed
    with ProcessPoolExecutor(PROCESSES) as pool:
        while True:
            while len(waiting) < 2 * PROCESSES and ahead < last_seed and time.monotonic() < until:
                seeds = range(ahead, min(ahead + AT_ONCE, last_seed))
                waiting[pool.submit(run_seeds, seeds)] = seeds
                ahead = seeds.stop
            if not waiting:
                return
            for done in wait(waiting, return_when=FIRST_COMPLETED).done:
                del waiting[done]
                _take(tally, done.result())
            tally.next_seed = min([seeds.start for seeds in waiting.values()], default=ahead)
            _keep(tally, state)
            _show(f"{tally.seeds} seeds, {tally.next_seed - began} now, {len(tally.failed)} failed")


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
        print(f"\nseed {seed} fails: {failed[0]}\n  python -m tests.simulation.soak --seed {seed}", flush=True)
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


def show_seed(seed: int, orders: int) -> int:
    """One seed, with the end of its record."""
    outcomes = play(seed, orders=orders)
    for line in outcomes.record.lines()[-_SHOWN:]:
        print(line)
    print(f"seed {seed}, {outcomes.shape}: {dict(Counter(outcomes.faults))}, {dict(outcomes.ended)}")
    for violation in outcomes.violations:
        print(f"{violation.what}: {violation.detail}")
    return 1 if outcomes.violations else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10_000, help="up to this seed (10000)")
    parser.add_argument("--minutes", type=float, default=60.0, help="no longer than this (60)")
    parser.add_argument("--state", type=Path, help="remembers here how far it is")
    parser.add_argument("--seed", type=int, help="only this one, and what happened in it")
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"with --seed: so many orders ({ORDERS})")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return show_seed(arguments.seed, arguments.orders)
    tally = _known(arguments.state)
    soak(tally, arguments.seeds, arguments.minutes, arguments.state)
    print("\n" + "\n".join(tally.lines()))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
