"""Objects for `amends.testing.linearizable` to check histories against: a register, and a purse with a floor."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias, assert_never

from amends.testing.linearizable import Answered, Asked, Operation, State


@dataclass(frozen=True, slots=True)
class Read:
    """A register answers its value, a purse what is available."""


@dataclass(frozen=True, slots=True)
class Write:
    """Answers None."""

    value: Hashable


@dataclass(frozen=True, slots=True)
class CompareAndSet:
    """Answers whether the register had `old`, and then has `new`."""

    old: Hashable
    new: Hashable


RegisterInput: TypeAlias = Read | Write | CompareAndSet


class Register:
    """One value a key. A `Model`. Keys that `values` lacks begin with None."""

    def __init__(self, values: Mapping[str, Hashable] | None = None) -> None:
        self._values = dict(values or {})

    def initial(self, key: str) -> Hashable:
        return self._values.get(key)

    def step(self, state: Hashable, operation: Operation[RegisterInput, Hashable]) -> tuple[Hashable, ...]:
        return _fitting(operation, *self.apply(state, operation.input))

    def may_change(self, operation: Operation[RegisterInput, Hashable]) -> bool:
        match operation.input:
            case Read():
                return False
            case Write():
                return True
            case CompareAndSet():
                return operation.may_answer(True)
            case _:
                assert_never(operation.input)

    def apply(self, state: Hashable, asked: RegisterInput) -> tuple[Hashable, Hashable]:
        """The value afterwards, and the answer."""
        match asked:
            case Read():
                return state, state
            case Write(value):
                return value, None
            case CompareAndSet(old, new):
                return (new, True) if state == old else (state, False)
            case _:
                assert_never(asked)


class Answer(StrEnum):
    """What a purse says to a change."""

    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Deposit:
    """More becomes available; never refused. New stock is one too."""

    amount: int


@dataclass(frozen=True, slots=True)
class Take:
    """Less is available, at once."""

    amount: int


@dataclass(frozen=True, slots=True)
class Hold:
    """From available to held. A reservation of stock is one too."""

    amount: int


@dataclass(frozen=True, slots=True)
class Release:
    """From held to available again."""

    amount: int


@dataclass(frozen=True, slots=True)
class Capture:
    """What is held goes away."""

    amount: int


PurseInput: TypeAlias = Read | Deposit | Take | Hold | Release | Capture
PurseOutput: TypeAlias = Answer | int


class Contents(NamedTuple):
    """What a purse has."""

    available: int
    held: int = 0


class Purse:
    """A counter that never goes below zero, for wallets and stock. A `Model`.

    A change is refused exactly when there is less than it asks for: available for `Take` and `Hold`, held for `Release`
    and `Capture`. What is refused changes nothing. `available` is by key; other keys begin with nothing.
    """

    def __init__(self, available: Mapping[str, int] | None = None) -> None:
        self._available = dict(available or {})

    def initial(self, key: str) -> Contents:
        return Contents(self._available.get(key, 0))

    def step(self, state: Contents, operation: Operation[PurseInput, PurseOutput]) -> tuple[Contents, ...]:
        return _fitting(operation, *self.apply(state, operation.input))

    def may_change(self, operation: Operation[PurseInput, PurseOutput]) -> bool:
        return not isinstance(operation.input, Read) and operation.may_answer(Answer.DONE)

    def apply(self, state: Contents, asked: PurseInput) -> tuple[Contents, PurseOutput]:
        """What it has afterwards, and the answer."""
        if isinstance(asked, Read):
            return state, state.available
        after = _moved(state, asked)
        return (after, Answer.DONE) if min(after) >= 0 else (state, Answer.REFUSED)


def _moved(state: Contents, asked: Deposit | Take | Hold | Release | Capture) -> Contents:
    available, held = state
    match asked:
        case Deposit(amount):
            return Contents(available + amount, held)
        case Take(amount):
            return Contents(available - amount, held)
        case Hold(amount):
            return Contents(available - amount, held + amount)
        case Release(amount):
            return Contents(available + amount, held - amount)
        case Capture(amount):
            return Contents(available, held - amount)
        case _:
            assert_never(asked)


def _fitting(operation: Operation[Asked, Answered], after: State, output: Answered) -> tuple[State, ...]:
    return (after,) if operation.may_answer(output) else ()
