"""Which branches of the core no seed reaches: seeds of every world, and of the shop, under coverage.

    python -m tests.simulation.coverage         # some minute of one core

Prints the share of branches that were taken, then each that was not: from which line to which. A line that is never
reached stands for all branches behind it.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from coverage import Coverage

SRC = Path(__file__).parents[2] / "src" / "amends"
CORE = (
    *("machine", "moves", "draft", "coordinator", "participant", "participant_hop", "hops", "barrier"),
    *("outbox", "worker", "timers", "decisions", "halving", "intake", "idempotency", "shards", "mending", "operator"),
    *("retry", "stumbling"),
)
ENOUGH = (
    *("errands", "errands, lossy", "errands, deployed", "trips, hurried", "trips, stuck", "trips, strays"),
    *("votes, in doubt", "votes, stalling"),
    *("bells, impatient", "bells, deadlocked", "bells, slow", "bells, many"),
)
"""Worlds that reach everything between them, with the shop."""
_TIMES = {"bells, many": 0.25, "bells, slow": 3.0, "errands, deployed": 2.0, "errands, lossy": 2.0, "trips, stuck": 2.0}
"""So many more seeds where what is looked for is rare; fewer where a seed takes long."""


class Module(NamedTuple):
    """A module of the core: how many branches it has and how many were taken; the others as (from, to), to < 0: out."""

    name: str
    branches: int
    taken: int
    missing: Sequence[tuple[int, int]]
    unreached: Sequence[int]

    def lines(self) -> Iterator[str]:
        source = (SRC / f"{self.name}.py").read_text(encoding="utf-8").splitlines()
        for start, to in self.missing:
            if start not in self.unreached:
                where = "out" if to < 0 else str(to)
                yield f"  {self.name}.py:{start} → {where:<5} {source[start - 1].strip()}"


def measured(seeds: int, shop_seeds: int, worlds: Sequence[str] = (), until_reached: bool = False) -> list[Module]:
    """Runs so many seeds of each small world, or of these, and of the shop; `until_reached`: until none is left."""
    # what runs when a module is imported counts, too: nothing of the library may be imported before
    measuring = Coverage(data_file=None, branch=True, include=[str(SRC / f"{name}.py") for name in CORE])
    measuring.start()
    try:
        for _ in _rounds(seeds, shop_seeds, worlds):
            if until_reached:
                measuring.stop()
                if not any(each.missing for each in _modules(measuring)):
                    break
                measuring.start()
    finally:
        measuring.stop()
    _say("")
    return _modules(measuring)


def _rounds(seeds: int, shop_seeds: int, worlds: Sequence[str]) -> Iterator[int]:
    """A seed of every world, or several, or none, and its share of the shop's."""
    from tests.simulation.ablations import SCENARIOS, judged  # noqa: PLC0415 after the measuring has begun
    from tests.simulation.shop_world import play  # noqa: PLC0415

    for round in range(seeds):
        for name in worlds or SCENARIOS:
            for seed in _share(round, _TIMES.get(name, 1.0)):
                _say(f"{name} {seed}")
                judged(SCENARIOS[name], seed)
        for seed in _share(round, shop_seeds / seeds):
            _say(f"shop {seed}")
            play(seed)
        yield round


def _share(round: int, times: float) -> range:
    return range(ceil(round * times), ceil((round + 1) * times))


def _modules(measuring: Coverage) -> list[Module]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        measuring.json_report(outfile=str(path))
        files: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["files"]
    found = {Path(name).stem: report for name, report in files.items()}
    return [_module(name, found[name]) for name in CORE]


def _module(name: str, report: dict[str, Any]) -> Module:
    summary, missing = report["summary"], [(start, to) for start, to in report["missing_branches"]]
    return Module(name, summary["num_branches"], summary["covered_branches"], missing, report["missing_lines"])


def table(modules: Sequence[Module]) -> Iterator[str]:
    """A line a module, then what was not taken."""
    for each in modules:
        yield f"{each.name:<18}{each.taken:>5} of {each.branches:>4}   {len(each.unreached):>3} lines not reached"
    taken, branches = sum(each.taken for each in modules), sum(each.branches for each in modules)
    yield f"{'branches':<18}{taken:>5} of {branches:>4}   {100 * taken / branches:.1f} %"
    for each in modules:
        yield from each.lines()


def _say(line: str) -> None:
    print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8, help="of each small world (8)")
    parser.add_argument("--shop-seeds", type=int, default=30, help="of the shop (30)")
    parser.add_argument(
        "--world", action="append", default=[], help="only this small world, of tests.simulation.ablations"
    )
    parser.add_argument("--until-reached", action="store_true", help="of `ENOUGH` worlds, and no longer")
    arguments = parser.parse_args()
    worlds = arguments.world or (ENOUGH if arguments.until_reached else ())
    for line in table(measured(arguments.seeds, arguments.shop_seeds, worlds, arguments.until_reached)):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
