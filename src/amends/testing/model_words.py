"""The words of the model: small definitions by their shape, the trouble that may come, values with a number each."""

from collections.abc import Hashable, Iterator
from enum import IntEnum
from functools import cache
from itertools import combinations_with_replacement
from typing import Generic, NamedTuple, TypeVar

import msgspec

from amends.messages import Command, Operation, Refusal
from amends.retry import Retry
from amends.saga import Group, Saga, Step, compensatable, pivot, retriable

V = TypeVar("V", bound=Hashable)

FAR = 1e12
NEVER_SPENT = Retry(attempts=1_000_000, base_s=0.0)


class Order(msgspec.Struct, frozen=True):
    """The input of every saga here."""


class Do(Command):
    participant = "participant"
    step: str


class Undo(Command):
    participant = "participant"
    step: str


class No(Refusal): ...


class Sent(NamedTuple):
    """A command in flight. `attempt` is 0 where nobody fails: nothing else reads it."""

    step: int
    operation: Operation
    attempt: int
    epoch: int
    again: bool


class Trouble(NamedTuple):
    """How often what may go wrong; all of it together at most `most` times.

    `crashes` of the coordinator, and as many of each participant; `timers` that fire although a message is on its way;
    `refusals` of what has to be done, a retriable step or a compensation; `failures`: answers that nothing happened.
    """

    duplicates: int = 1
    losses: int = 1
    timers: int = 1
    crashes: int = 1
    refusals: int = 0
    failures: int = 0
    most: int = 100


class Cost(IntEnum):
    """Where in a purse it is; `PARTICIPANT` is the first participant's crash, the number after it the second's."""

    NOTHING = -1
    DUPLICATE = 0
    LOSS = 1
    TIMER = 2
    COORDINATOR = 3
    REFUSAL = 4
    FAILURE = 5
    ALL = 6
    PARTICIPANT = 7


class Setting(NamedTuple):
    """What is explored: a definition, whose steps are at so many participants; whether a coordinator may freeze."""

    saga: Saga[Order]
    trouble: Trouble
    participants: int
    freezes: bool


class Numbered(Generic[V]):
    """Gives each value a number, the same to equal ones: worlds made of numbers are small and quickly compared."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self._numbers: dict[V, int] = {}

    def number(self, value: V) -> int:
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
        return found


class Purse:
    """The trouble that is left, by number."""

    def __init__(self, trouble: Trouble, participants: int) -> None:
        self._left = Numbered[tuple[int, ...]]()
        self._crashes = trouble.crashes
        self.full = self._left.number((*trouble, *[trouble.crashes] * participants))
        self.spend = cache(self._spend)
        self.epoch = cache(self._epoch)

    def _spend(self, left: int, cost: int) -> int:
        """What is left then; −1 when it can't be paid."""
        if cost == Cost.NOTHING:
            return left
        counts = list(self._left.values[left])
        counts[cost] -= 1
        counts[Cost.ALL] -= 1
        return self._left.number(tuple(counts)) if counts[cost] >= 0 and counts[Cost.ALL] >= 0 else -1

    def _epoch(self, left: int) -> int:
        """Each crash of the coordinator has raised it."""
        return 1 + self._crashes - self._left.values[left][Cost.COORDINATOR]


def saga_of(shape: str, attempts: int, *, gives_up: bool) -> Saga[Order]:
    """`saga_of("cc p r", 2)`: groups by blanks, a letter a step; steps are named s0, s1, …

    A compensatable step that was asked `attempts` times without an answer counts as unknown. All else is asked until it
    is answered or, when it `gives_up`, is stuck after as many.
    """
    numbers, retry = iter(range(len(shape))), Retry(attempts, base_s=0.0)
    kinds = [[_step(kind, f"s{next(numbers)}", retry, gives_up) for kind in group] for group in shape.split()]
    return Saga("model", Order, *[Group(tuple(steps)) for steps in kinds], deadline_s=FAR)


def _step(kind: str, name: str, retry: Retry, gives_up: bool) -> Step[Order]:
    def do(_: Order) -> Do:
        return Do(name)

    def undo(_: Order) -> Undo:
        return Undo(name)

    until_done = retry if gives_up else NEVER_SPENT
    match kind:
        case "c":
            return compensatable(name, do, undo=undo, retry=retry, undo_retry=until_done)
        case "p":
            return pivot(name, do, retry=until_done)
        case _:
            return retriable(name, do, retry=until_done)


def shapes(most: int) -> list[str]:
    """Every definition of up to `most` compensatable steps, pivot and retriable steps; groups in every way."""
    return [shape for size in range(1, most + 1) for shape in _of_size(size)]


def _of_size(size: int) -> Iterator[str]:
    for kinds in combinations_with_replacement("cpr", size):
        if kinds.count("p") <= 1:
            yield from _grouped("".join(kinds))


def _grouped(kinds: str) -> Iterator[str]:
    """Steps of one kind may be together or apart."""
    if len(kinds) == 1:
        yield kinds
        return
    for rest in _grouped(kinds[1:]):
        yield f"{kinds[0]} {rest}"
        if kinds[0] == kinds[1]:
            yield f"{kinds[0]}{rest}"
