"""Which program a process of a simulated world runs: now and then another build of it, which is soon rolled back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from amends.participant import Participant
from amends.saga import Saga
from amends.testing.processes import Life, Process
from amends.testing.worlds import World

_ROLLED_BACK_S = 8.0
_ENDS_WITHIN_S = 3.0


class Program(NamedTuple):
    """A participant, or a coordinator: the definitions that it knows, first the one whose sagas it begins."""

    participant: Participant | None = None
    definitions: Sequence[Saga[Any]] = ()


Build = Callable[[], Program]
"""Makes another program in place of a process's own; raises what it raises when it doesn't start."""


class Deployments:
    """`builds` are the other builds that may be deployed, by the names of databases."""

    def __init__(self, world: World, builds: Mapping[str, Sequence[Build]]) -> None:
        self._world = world
        self._builds = builds

    def program(self, process: Process, database: str, own: Program) -> Program:
        """What the process is to run."""
        builds, chances = self._builds.get(database, ()), self._world.chances
        if not builds or not chances.fires("other build"):
            return own
        build = chances.of("other build").choice(builds)
        self._world.tell(process.name, "is another build", build.__name__)
        self._world.loop.outside(_ROLLED_BACK_S * chances.of("other build").random(), self._roll_back, process)
        return build()

    def _roll_back(self, process: Process) -> None:
        """It is told to stop; what doesn't is ended."""
        if self._lives(process):
            self._world.stop(process.name)
            self._world.loop.outside(_ENDS_WITHIN_S, self._end, process)

    def _end(self, process: Process) -> None:
        if self._lives(process):
            self._world.crash(process.name)

    def _lives(self, process: Process) -> bool:
        return self._world.processes[process.name] is process and process.life is not Life.DEAD
