"""For tests of services and sagas: a simulator that runs sagas in worlds where everything goes wrong, by seed.

`explore` runs many seeds, `Scenario` says what they run, `Given` tests one saga by hand.
"""

from amends.testing.chances import HIGHEST, Fault
from amends.testing.exploring import Exploration, Found, explore
from amends.testing.scenarios import Outcomes, Scenario, Violation, play

__all__ = ["HIGHEST", "Exploration", "Fault", "Found", "Outcomes", "Scenario", "Violation", "explore", "play"]
