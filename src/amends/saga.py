"""Saga definitions: data, checked when they are made.

    trip = Saga(
        "book-trip",
        Trip,
        compensatable("book hotel", book_hotel, undo=cancel_hotel),
        compensatable("book flight", book_flight, undo=cancel_flight),
        pivot("charge card", charge_card),
        retriable("send tickets", send_tickets),
        deadline_s=30,
    )

`Trip` is the saga's input, a `msgspec.Struct`; `book_hotel` is a function of it that makes a command. Compensatable
steps come first, then at most one pivot, then retriable ones (H. Garcia-Molina, K. Salem, "Sagas", 1987; pivot and
retriable after S. Mehrotra et al., 1992). Steps inside `together(…)` are asked at the same time.
"""

import hashlib
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from amends import checks
from amends.messages import Command
from amends.steps import (
    Cause,
    Given,
    Group,
    I,
    Kind,
    Step,
    begun,
    best_effort,
    compensatable,
    decided,
    pivot,
    retriable,
    together,
)

__all__ = [
    "Cause",
    "Given",
    "Group",
    "Kind",
    "Saga",
    "Step",
    "begun",
    "best_effort",
    "compensatable",
    "decided",
    "pivot",
    "retriable",
    "together",
]


@dataclass(frozen=True)
class Saga(Generic[I]):
    """A definition, with its steps in order and the groups that they form.

    `deadline_s` bounds the time before the pivot: past it the saga turns back. `version` is a digest of names, kinds,
    groups and commands; an instance keeps the version that it started with.

    Raises `DefinitionError` when the definition can't work.
    """

    name: str
    input: type[I]
    steps: tuple[Step[I], ...]
    groups: tuple[tuple[int, ...], ...]
    deadline_s: float
    version: str = field(init=False)
    index: dict[str, int] = field(init=False, repr=False, compare=False)
    commit_group: int = field(init=False, repr=False)

    def __init__(self, name: str, input: type[I], *parts: Step[I] | Group[I], deadline_s: float = 60.0) -> None:
        grouped = [part.steps if isinstance(part, Group) else (part,) for part in parts]
        put = object.__setattr__
        put(self, "name", name)
        put(self, "input", input)
        put(self, "steps", tuple(step for group in grouped for step in group))
        put(self, "groups", _number(grouped))
        put(self, "deadline_s", deadline_s)
        put(self, "index", {step.name: at for at, step in enumerate(self.steps)})
        put(self, "commit_group", _commit_group(grouped))
        checks.check(self)
        put(self, "version", _digest(self))

    def __hash__(self) -> int:
        return hash((self.name, self.version))


def _number(grouped: Sequence[Sequence[object]]) -> tuple[tuple[int, ...], ...]:
    numbers = iter(range(sum(map(len, grouped))))
    return tuple(tuple(next(numbers) for _ in group) for group in grouped)


def _commit_group(grouped: Sequence[Sequence[Step[Any]]]) -> int:
    """The first group that holds no compensatable step: from there on, only forward."""
    for at, group in enumerate(grouped):
        if group and group[0].kind is not Kind.COMPENSATABLE:
            return at
    return len(grouped)


def _digest(saga: Saga[Any]) -> str:
    shape = [saga.name, saga.input.__name__]
    for number, group in enumerate(saga.groups):
        for step in (saga.steps[at] for at in group):
            shape.append(f"{number}/{step.name}/{step.kind}/{_makes(step.ask)}/{_makes(step.undo)}")
    return hashlib.sha256("\n".join(shape).encode()).hexdigest()[:12]


def _makes(builder: Callable[..., Command] | None) -> str:
    """The name of the command that a builder says that it makes."""
    if builder is None:
        return ""
    made = typing.get_type_hints(builder).get("return", "") if hasattr(builder, "__annotations__") else ""
    return getattr(made, "__name__", str(made))
