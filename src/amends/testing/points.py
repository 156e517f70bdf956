"""Crash points: every durable write and every send of a run, and a crash right before and right after each."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from amends.testing.scenarios import Outcomes, Scenario


class Point(NamedTuple):
    """The `number`th moment of a process at which a crash makes a difference, from 0; `what` says which it is."""

    process: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.process} {self.number} ({self.what})"


class Crash(BaseException):
    """Ends whatever a process is at, as its end does."""


class Crashed(NamedTuple):
    """What came of a run that crashed at these points."""

    points: Sequence[Point]
    outcomes: "Outcomes"


def crash_points(
    scenario: "Scenario | Callable[[], Scenario]", *, pairs: bool = False, seed: int = 0
) -> Iterator[Crashed]:
    """One saga, without any other fault: a run for each point, or for each two, one after the other.

    The second point is any that comes after the first crash: of the same process, begun anew, or of another. A function
    that makes the scenario is called for each run.
    """
    for first in _run(scenario, seed, []).outcomes.points:
        crashed = _run(scenario, seed, [first])
        yield crashed
        if pairs:
            for second in _later(crashed.outcomes.points, first):
                yield _run(scenario, seed, [first, second])


def _run(scenario: "Scenario | Callable[[], Scenario]", seed: int, points: list[Point]) -> Crashed:
    from amends.testing.scenarios import play  # noqa: PLC0415 a world knows its points

    made = scenario() if callable(scenario) else scenario
    return Crashed(points, play(made, seed, rates={}, sagas=1, crashes=points))


def _later(points: Sequence[Point], first: Point) -> Sequence[Point]:
    return points[points.index(first) + 1 :]
