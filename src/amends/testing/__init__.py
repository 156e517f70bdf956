"""For tests of services and sagas: a simulator that runs sagas in worlds where everything goes wrong, by seed.

`explore` runs many seeds and shows the shortest history that fails; `Scenario` says what they run, `play` runs one.
`crash_points` crashes processes wherever it matters. `given` takes one saga through a test by hand.
"""

from amends.testing.chances import HIGHEST, Fault
from amends.testing.exploring import Exploration, Found, explore
from amends.testing.given import GivenSaga, given
from amends.testing.points import crash_points
from amends.testing.scenarios import Outcomes, Scenario, Violation, play

__all__ = [
    "HIGHEST",
    "Exploration",
    "Fault",
    "Found",
    "GivenSaga",
    "Outcomes",
    "Scenario",
    "Violation",
    "crash_points",
    "explore",
    "given",
    "play",
]
