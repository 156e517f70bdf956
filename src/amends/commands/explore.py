"""The command `explore`: a saga in worlds where everything goes wrong, a seed each, until one fails."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from itertools import zip_longest
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from amends.commands.command import NO, OK, Command, Desk, Unusable, load
from amends.commands.looking import whole
from amends.saga import Saga
from amends.testing import Exploration, Scenario
from amends.testing.exploring import Made, drawing, run_one

_SEEDS = 100
_MEND = (
    "name an amends.testing.Scenario(saga, participants, inputs), a function that makes one, or a saga beside "
    "`participants` and `inputs`, as MODULE:NAME"
)
_HEAD, _KEEP = ("fault", "happened", "sagas", "count"), (0, 2)


async def explore(desk: Desk, options: Namespace) -> int:
    made = _made(options.scenario, load(options.scenario, _MEND))
    seeds = [options.seed] if options.seed is not None else range(options.first, options.first + options.seeds)
    exploration = Exploration()
    began = desk.runtime.now()
    for seed in _shown(seeds):
        run_one(made, seed, exploration)
        if exploration.failure is not None:
            break
    took_s = max(desk.runtime.now() - began, 1e-9)
    _say(desk, options, exploration, took_s)
    return OK if exploration.failure is None else NO


def _made(name: str, found: object) -> Made:
    """What makes the scenario of that name. Raises `Unusable`."""
    if isinstance(found, Scenario):
        given = found
        return lambda: given
    if callable(found) and _takes_nothing(found) and isinstance(found(), Scenario):
        made: Callable[[], Scenario] = found
        return made
    if isinstance(found, Saga):
        scenario = _beside(name, found)
        return lambda: scenario
    raise Unusable(f"{name} is a {type(found).__name__}: {_MEND}")


def _beside(name: str, saga: Saga[Any]) -> Scenario:
    """With the `participants` and `inputs` of its module, and its `invariants` and `migrations` if there are any."""
    module = sys.modules[name.partition(":")[0]]
    missing = [f"`{each}`" for each in ("participants", "inputs") if not getattr(module, each, None)]
    if missing:
        raise Unusable(f"{name} is a saga, and {module.__name__} has no {' and no '.join(missing)} beside it: {_MEND}")
    return Scenario(
        saga,
        module.participants,
        drawing(module.inputs),
        getattr(module, "migrations", {}),
        getattr(module, "invariants", ()),
    )


def _takes_nothing(function: Callable[..., object]) -> bool:
    try:
        signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def _shown(seeds: Sequence[int]) -> Iterator[int]:
    with Progress(console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(seeds, description="seeds")


def _say(desk: Desk, options: Namespace, exploration: Exploration, took_s: float) -> None:
    failure, screen = exploration.failure, desk.screen
    if options.svg and failure is not None:
        options.svg.write_text(failure.picture(), encoding="utf-8")
    replay = "" if failure is None else f"amends explore {options.scenario} --seed {failure.found.seed}"
    screen.show(_as_json(exploration, took_s, replay), _rows(exploration), _HEAD, _KEEP)
    if screen.json:
        return
    told = "nothing found." if failure is None else f"one failed. Again: {replay}"
    screen.line(f"{exploration.seeds:,} seeds in {took_s:.1f} s ({exploration.seeds / took_s:.3g} a second): {told}")
    for line in failure.lines() if failure else ():
        screen.line(line)


def _rows(exploration: Exploration) -> list[list[str]]:
    """Two tables side by side: faults by kind, sagas by how they ended."""
    empty = ("", 0)
    pairs = zip_longest(exploration.faults.most_common(), exploration.ends.most_common(), fillvalue=empty)
    return [
        [what, f"{times:,}" if what else "", end, f"{count:,}" if end else ""] for (what, times), (end, count) in pairs
    ]


def _as_json(exploration: Exploration, took_s: float, replay: str) -> dict[str, object]:
    failure = exploration.failure
    violations = [] if failure is None else [each._asdict() for each in failure.found.violations]
    return {
        "seeds": exploration.seeds,
        "took_s": round(took_s, 3),
        "faults": dict(exploration.faults),
        "ends": dict(exploration.ends),
        "violations": violations,
        "replay": replay,
    }


def _options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "scenario",
        metavar="MODULE:NAME",
        help="an amends.testing.Scenario, a function that makes one, or a saga beside participants and inputs",
    )
    parser.add_argument("--seeds", type=whole, default=_SEEDS, metavar="N", help=f"how many (default: {_SEEDS})")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the first one (default: 0)")
    parser.add_argument("--seed", type=int, metavar="N", help="only this one")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the shortest history that fails")


COMMANDS = (
    Command(
        "explore",
        "run a saga in simulated worlds where everything goes wrong, and show the shortest history that fails",
        "amends explore ticket:scenario --seeds 1000",
        explore,
        _options,
        alone=True,
    ),
)
