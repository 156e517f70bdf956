"""The parts of a saga: steps, and groups of steps that are asked together."""

import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, NewType, TypeVar

import msgspec

from amends.messages import Command, Reply
from amends.retry import BEFORE_PIVOT, UNTIL_DONE, Retry

I = TypeVar("I", bound=msgspec.Struct)  # noqa: E741
I_contra = TypeVar("I_contra", bound=msgspec.Struct, contravariant=True)
R = TypeVar("R", bound=Reply)

Cause = NewType("Cause", str)


class Kind(StrEnum):
    COMPENSATABLE = "compensatable"
    PIVOT = "pivot"
    RETRIABLE = "retriable"
    BEST_EFFORT = "best-effort"


@dataclass(frozen=True, slots=True)
class Given(Generic[R]):
    """An earlier step's reply, handed to a command builder as its second argument."""

    step: str
    reply: type[R]


@dataclass(frozen=True, slots=True)
class Step(Generic[I_contra]):
    """One command to one participant, and the command that undoes it."""

    name: str
    kind: Kind
    ask: Callable[..., Command] | None
    undo: Callable[..., Command] | None = None
    given: Given[Any] | None = None
    timeout_s: float = 5.0
    retry: Retry = BEFORE_PIVOT
    undo_retry: Retry = UNTIL_DONE
    input: Callable[[I_contra], object] | None = None  # carries the type only


@dataclass(frozen=True, slots=True)
class Group(Generic[I_contra]):
    """Steps that are asked at the same time."""

    steps: tuple[Step[I_contra], ...]


Ask = Callable[[I], Command]
AskGiven = Callable[[I, R], Command]
Undo = Callable[[I], Command] | Callable[[I, Cause], Command]


def begun(name: str, *, undo: Undo[I], undo_retry: Retry = UNTIL_DONE, timeout_s: float = 5.0) -> Step[I]:
    """A local step that is done in the transaction that starts the saga; only its compensation is a command."""
    return Step(name, Kind.COMPENSATABLE, None, undo, undo_retry=undo_retry, timeout_s=timeout_s)


@typing.overload
def compensatable(
    name: str, ask: Ask[I], *, undo: Undo[I], timeout_s: float = ..., retry: Retry = ..., undo_retry: Retry = ...
) -> Step[I]: ...
@typing.overload
def compensatable(
    name: str,
    ask: AskGiven[I, R],
    *,
    given: Given[R],
    undo: Undo[I],
    timeout_s: float = ...,
    retry: Retry = ...,
    undo_retry: Retry = ...,
) -> Step[I]: ...
def compensatable(
    name: str,
    ask: Callable[..., Command],
    *,
    undo: Callable[..., Command],
    given: Given[Any] | None = None,
    timeout_s: float = 5.0,
    retry: Retry = BEFORE_PIVOT,
    undo_retry: Retry = UNTIL_DONE,
) -> Step[Any]:
    """A step that `undo` can undo. `undo` is made from the input alone, or from the input and the `Cause`."""
    return Step(name, Kind.COMPENSATABLE, ask, undo, given, timeout_s, retry, undo_retry)


@typing.overload
def pivot(name: str, ask: Ask[I], *, timeout_s: float = ..., retry: Retry = ...) -> Step[I]: ...
@typing.overload
def pivot(
    name: str, ask: AskGiven[I, R], *, given: Given[R], timeout_s: float = ..., retry: Retry = ...
) -> Step[I]: ...
def pivot(
    name: str,
    ask: Callable[..., Command],
    *,
    given: Given[Any] | None = None,
    timeout_s: float = 5.0,
    retry: Retry = UNTIL_DONE,
) -> Step[Any]:
    """The point of no return: refused, the saga turns back; done, it only goes forward."""
    return Step(name, Kind.PIVOT, ask, None, given, timeout_s, retry)


def decided(name: str) -> Step[Any]:
    """A pivot without a command: the coordinator's own decision, logged as soon as all that is before it is done."""
    return Step(name, Kind.PIVOT, None)


@typing.overload
def retriable(name: str, ask: Ask[I], *, timeout_s: float = ..., retry: Retry = ...) -> Step[I]: ...
@typing.overload
def retriable(
    name: str, ask: AskGiven[I, R], *, given: Given[R], timeout_s: float = ..., retry: Retry = ...
) -> Step[I]: ...
def retriable(
    name: str,
    ask: Callable[..., Command],
    *,
    given: Given[Any] | None = None,
    timeout_s: float = 5.0,
    retry: Retry = UNTIL_DONE,
) -> Step[Any]:
    """A step that is repeated until it is done."""
    return Step(name, Kind.RETRIABLE, ask, None, given, timeout_s, retry)


def best_effort(name: str, ask: Ask[I], *, timeout_s: float = 5.0, retry: Retry = BEFORE_PIVOT) -> Step[I]:
    """A retriable step whose failure is recorded, and the saga goes on."""
    return Step(name, Kind.BEST_EFFORT, ask, None, None, timeout_s, retry)


def together(*steps: Step[I]) -> Group[I]:
    """These steps are asked at the same time; the first one declared that refuses names the cause."""
    return Group(steps)
