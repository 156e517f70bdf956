"""A model checker: every interleaving of a small saga with what may go wrong, breadth first.

    explored = explore("cc p r", Trouble(losses=2))
    print(explored.worlds)

A world is the saga's state, what each participant has durably, and the messages in flight. It moves by deliveries in
any order, copies, losses, timers and crashes (`model_moves.py`), until each trouble is used up that may come. What
decides is the real code: the machine (`model_coordinator.py`), the participant's hop with its barrier
(`model_participant.py`), the check of the lease (`model_lease.py`). In every world the rules hold (`model_rules.py`),
and from every world the saga ends once trouble stops. A rule that does not hold raises `Broken`, with the shortest way
there (`model_trace.py`).
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from amends.state import Status
from amends.testing.model_moves import Move, Moves, World
from amends.testing.model_rules import broken
from amends.testing.model_trace import Broken, trace
from amends.testing.model_words import Setting, Trouble, saga_of

__all__ = ["Broken", "Explored", "Trouble", "explore"]

_REST = -1
_ONCE = Trouble()


class Explored(NamedTuple):
    """How much there was.

    `situations` are worlds without the net and the trouble that is left. `ends`: the worlds in which nothing moves any
    more, by the saga's status.
    """

    shape: str
    worlds: int
    moves: int
    situations: int
    ends: dict[Status, int]


def explore(
    shape: str,
    trouble: Trouble = _ONCE,
    *,
    attempts: int = 2,
    gives_up: bool = False,
    apart: bool = False,
    freezes: bool = False,
) -> Explored:
    """Visits every world of a definition (`saga_of`). Raises `Broken`.

    `apart`: each step has a participant of its own, else one has all. `freezes`: a coordinator that was taken for dead
    may go on with its last write. What is stuck, a person retries.
    """
    saga = saga_of(shape, attempts, gives_up=gives_up)
    participants = len(saga.steps) if apart else 1
    return Exploration(shape, Setting(saga, trouble, participants, freezes)).run()


class Exploration:
    """The worlds found so far, each by its number: whence it was found, where it goes without trouble."""

    def __init__(self, shape: str, setting: Setting) -> None:
        self._shape = shape
        self._setting = setting
        self._moves = Moves(setting)
        self._worlds: list[World] = []
        self._numbers: dict[World, int] = {}
        self._parents = array("l")
        self._calm = array("l")
        self._met: set[tuple[int, tuple[int, ...]]] = set()

    def run(self) -> Explored:
        count = 0
        self._find(self._moves.first(), 0)
        for number, world in enumerate(self._worlds):
            self._check(number, world)
            calm, troubles = self._moves.of(world)
            count += len(calm) + len(troubles)
            if not calm:
                self._check_rest(number, world)
            self._calm.append(self._find(calm[0][3], number) if calm else _REST)
            for move in (*calm, *troubles):
                self._find(move[3], number)
            if self._moves.coordinator.wrong:
                self._check_writes(number, [*calm, *troubles])
        self._check_that_all_end()
        return Explored(self._shape, len(self._worlds), count, len(self._met), self._ends())

    def _find(self, world: World, parent: int) -> int:
        number = self._numbers.get(world)
        if number is None:
            number = self._numbers[world] = len(self._worlds)
            self._worlds.append(world)
            self._parents.append(parent)
        return number

    def _check(self, number: int, world: World) -> None:
        situation = world[:2]
        if situation not in self._met:
            self._met.add(situation)
            places = [self._moves.participants.places.values[each] for each in world[1]]
            rule = broken(self._setting.saga, self._moves.coordinator.states.values[world[0]], places)
            if rule:
                raise self._broken(rule, self._path(number))

    def _check_writes(self, number: int, moves: list[Move]) -> None:
        for move in moves:
            rule = self._moves.coordinator.wrong.get((self._worlds[number][0], move[3][0]))
            if rule:
                raise self._broken(rule, [*self._path(number), move])

    def _check_rest(self, number: int, world: World) -> None:
        if not self._moves.coordinator.ended(world[0]):
            raise self._broken("nothing moves any more, and the saga has not ended", self._path(number))

    def _check_that_all_end(self) -> None:
        """Follows the moves without trouble from every world; each is passed once."""
        ends = bytearray(after == _REST for after in self._calm)
        for begin in range(len(ends)):
            way: dict[int, None] = {}
            number = begin
            while not ends[number]:
                if number in way:
                    raise self._broken(
                        "without any more trouble the saga goes round and round", self._round(begin, way)
                    )
                way[number] = None
                number = self._calm[number]
            for each in way:
                ends[each] = True

    def _round(self, begin: int, way: Iterable[int]) -> list[Move]:
        return [*self._path(begin), *[self._moves.of(self._worlds[each])[0][0] for each in way]]

    def _path(self, number: int) -> list[Move]:
        """The shortest way from the first world."""
        path: list[Move] = []
        while number:
            world, number = self._worlds[number], self._parents[number]
            calm, troubles = self._moves.of(self._worlds[number])
            path.append(next(move for move in (*calm, *troubles) if move[3] == world))
        return path[::-1]

    def _broken(self, rule: str, path: Sequence[Move]) -> Broken:
        return Broken(self._shape, rule, trace(self._setting.saga, self._moves, path))

    def _ends(self) -> dict[Status, int]:
        states = self._moves.coordinator.states.values
        resting = (
            states[world[0]].status for world, after in zip(self._worlds, self._calm, strict=True) if after == _REST
        )
        return dict(sorted(Counter(resting).items()))
