"""Runs a scenario for many seeds; a seed that fails is made as short as it can be and still fail.

def test_ticket(explore):
    explore(Scenario(buy_ticket, [bank, airline], inputs, invariants=[conserved]), seeds=300)
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from amends.audit import Check
from amends.participant import Participant
from amends.saga import Saga
from amends.schema import Migration
from amends.testing import histories
from amends.testing.chances import Fault
from amends.testing.histories import EVERYBODY, Happening, Record
from amends.testing.scenarios import Outcomes, Scenario, Violation, play
from amends.testing.shortening import Shortening

MOST_TRIES = 150

Made = Callable[[], Scenario]
Inputs = Callable[[Random], msgspec.Struct] | Sequence[msgspec.Struct]


class Failure(NamedTuple):
    """A seed that failed: as it was found, and the shortest run of it that still fails, with `sagas` sagas."""

    found: Outcomes
    shortest: Outcomes
    sagas: int
    tries: int

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        yield f"seed {self.found.seed} fails:"
        for violation in self.found.violations[:5]:
            yield f"  {violation.what}: {violation.detail}"
        faults = ", ".join(map(str, self.shortest.happened)) or "no fault at all"
        yield f"shortest run that fails ({self.tries} tries), of {self.sagas} saga(s), with {faults}:"
        for violation in self.shortest.violations[:3]:
            yield f"  {violation.what}: {violation.detail}"
        yield from (f"    {line}" for line in told(self.shortest.record, self.shortest.violations))

    def picture(self) -> str:
        """The shortest run, as SVG."""
        return histories.to_svg(self.shortest.record, f"Seed {self.found.seed}: {self.shortest.violations[0].what}")


@dataclass
class Exploration:
    """What many seeds came to: `faults` by kind, `ends` by how sagas ended."""

    seeds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    failure: Failure | None = None

    def add(self, outcomes: Outcomes) -> None:
        self.seeds += 1
        self.faults.update(fault.kind for fault in outcomes.happened)
        self.ends.update(outcomes.ended)


class Found(AssertionError):
    """A seed has failed. Says which, why, and how to see it again."""

    def __init__(self, exploration: Exploration, failure: Failure, more: Sequence[str] = ()) -> None:
        seeds = f"{exploration.seeds} seeds ran; the last one failed"
        again = f"again: pytest --amends-seed {failure.found.seed}, or explore(…, first={failure.found.seed}, seeds=1)"
        super().__init__("\n".join([seeds, *failure.lines(), again, *more]))
        self.exploration = exploration
        self.failure = failure


def explore(
    saga: Saga[Any] | Scenario | Made,
    participants: Sequence[Participant] = (),
    invariants: Sequence[Check] = (),
    *,
    inputs: Inputs | None = None,
    migrations: Mapping[str, Sequence[Migration]] | None = None,
    seeds: int = 100,
    first: int = 0,
    sagas: int = 20,
    folder: Path | None = None,
) -> Exploration:
    """Runs `seeds` seeds from `first` on. Raises `Found` at the first one that fails, with its picture in `folder`.

    Takes a saga with its participants, invariants and inputs, a function of chance that makes one, or a list to choose
    from; or a `Scenario`; or a function that makes one anew for each run, for handlers that touch more than their
    transaction.
    """
    made = _maker(saga, participants, invariants, inputs, migrations or {}, sagas)
    exploration = Exploration()
    for seed in range(first, first + seeds):
        run_one(made, seed, exploration)
        if exploration.failure is not None:
            raise Found(exploration, exploration.failure, _drawn(exploration.failure, folder))
    return exploration


def run_one(made: Made, seed: int, exploration: Exploration) -> None:
    """One more seed; a failure is shortened and kept."""
    outcomes = play(made(), seed)
    exploration.add(outcomes)
    if outcomes.violations:
        exploration.failure = shorten(made, outcomes)


def shorten(made: Made, found: Outcomes, most_tries: int = MOST_TRIES) -> Failure:
    """Fewer sagas, then fewer faults, in turn, until neither can be left out; then one fault alone, of those kinds."""

    def run(size: int, *, only: Collection[Fault] | None, rates: Mapping[str, float] | None) -> Outcomes:
        return play(made(), found.seed, rates=rates, only=only, sagas=size)

    tries = Shortening(run, found, made().sagas, most_tries)
    tries.shorten()
    tries.most += most_tries
    tries.find_one()
    return Failure(found, tries.best, tries.size, tries.count)


def told(record: Record, violations: Sequence[Violation], most: int = 60) -> list[str]:
    """The record as text: what belongs to the sagas that the violations name, or all of it when they name none."""
    lines = [str(each) for each in concerned(record, violations)]
    left_out = len(lines) - most
    return lines if left_out <= 0 else [*lines[: most // 2], f"… {left_out} more …", *lines[-most // 2 :]]


def concerned(record: Record, violations: Sequence[Violation]) -> list[Happening]:
    """What happened to the sagas that the violations name, or everything when they name none."""
    sagas = {each.saga for each in record if each.saga}
    named = {saga for saga in sagas if any(saga in violation.detail for violation in violations)}
    return [each for each in record if not named or each.saga in named or each.who == EVERYBODY]


def drawing(inputs: Inputs) -> Callable[[Random], msgspec.Struct]:
    """The function that makes an input; of a list it takes any."""
    if callable(inputs):
        return inputs
    listed = inputs
    return lambda chance: chance.choice(listed)


def _maker(
    saga: Saga[Any] | Scenario | Made,
    participants: Sequence[Participant],
    invariants: Sequence[Check],
    inputs: Inputs | None,
    migrations: Mapping[str, Sequence[Migration]],
    sagas: int,
) -> Made:
    if isinstance(saga, Saga):
        if not inputs:
            raise TypeError(
                f"explore {saga.name}: give inputs=, a function of chance that makes a {saga.input.__name__}, or a list"
            )
        scenario = Scenario(saga, participants, drawing(inputs), migrations, invariants, sagas)
        return lambda: scenario
    if isinstance(saga, Scenario):
        given = saga
        return lambda: given
    return saga


def _drawn(failure: Failure, folder: Path | None) -> list[str]:
    if folder is None:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"seed-{failure.found.seed}.svg"
    path.write_text(failure.picture(), encoding="utf-8")
    return [f"picture: {path}"]
