"""What a saga definition has to fulfil. Each rule names the saga, the step and the mend."""

import inspect
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from amends.errors import DefinitionError
from amends.messages import Command
from amends.steps import Cause, Kind, Step

if TYPE_CHECKING:
    from amends.saga import Saga

_ORDER = {Kind.COMPENSATABLE: 0, Kind.PIVOT: 1, Kind.RETRIABLE: 2, Kind.BEST_EFFORT: 2}


def check(saga: "Saga[Any]") -> None:
    """Raises `DefinitionError`, naming the saga, the step and the mend."""
    if not saga.steps:
        raise DefinitionError(f"saga {saga.name!r} has no steps: add at least one")
    for rule in (_names_differ, _kinds_in_order, _all_can_be_undone, _builders_fit, _given_earlier, _times_fit):
        rule(saga)


def _fail(saga: "Saga[Any]", step: Step[Any], wrong: str, mend: str) -> typing.NoReturn:
    raise DefinitionError(f"saga {saga.name!r}, step {step.name!r}: {wrong}; {mend}")


def _names_differ(saga: "Saga[Any]") -> None:
    seen: set[str] = set()
    for step in saga.steps:
        if not step.name or step.name in seen:
            _fail(saga, step, "its name is empty or used twice", "give each step a name of its own, it is stored")
        seen.add(step.name)


def _kinds_in_order(saga: "Saga[Any]") -> None:
    reached = 0
    for group in saga.groups:
        ranks = {_ORDER[saga.steps[at].kind] for at in group}
        first = saga.steps[group[0]] if group else saga.steps[0]
        if len(ranks) != 1:
            _fail(saga, first, "its group is empty or mixes kinds", "put steps of one kind together")
        rank = ranks.pop()
        if rank < reached:
            _fail(saga, first, f"{first.kind} comes too late", "order: compensatable, one pivot, then retriable")
        if rank == 1 and (reached == 1 or len(group) > 1):
            _fail(saga, first, "it is a second pivot", "keep one pivot, alone; make the others retriable")
        if rank == 0 and any(saga.steps[at].ask is None for at in group) and group != (0,):
            _fail(saga, first, "a begun step must come first, alone", "move it to the front")
        reached = rank


def _all_can_be_undone(saga: "Saga[Any]") -> None:
    for step in saga.steps:
        if step.kind is Kind.COMPENSATABLE and step.undo is None:
            _fail(saga, step, "it has no compensation", "pass undo=, or make it the pivot or retriable")


def _builders_fit(saga: "Saga[Any]") -> None:
    for step in saga.steps:
        if step.ask is not None:
            _takes(saga, step, step.ask, 2 if step.given else 1)
        if step.undo is not None:
            _takes(saga, step, step.undo, undo_arity(step))


def undo_arity(step: Step[Any]) -> int:
    """2 when the compensation's builder wants the cause, else 1."""
    return 1 if step.undo is None else max(1, min(2, len(inspect.signature(step.undo).parameters)))


def _takes(saga: "Saga[Any]", step: Step[Any], builder: Callable[..., Command], count: int) -> None:
    names = list(inspect.signature(builder).parameters)
    label = getattr(builder, "__name__", "builder")
    if len(names) != count:
        mend = "take the input" + (" and the given reply" if step.given and count == 2 else "")
        if builder is step.undo:
            mend = "take the input, or the input and the cause: a compensation never sees a reply, it may be lost"
        _fail(saga, step, f"{label} takes {len(names)} arguments", mend)
    hints = typing.get_type_hints(builder)
    wanted = hints.get(names[0], saga.input)
    if isinstance(wanted, type) and not issubclass(saga.input, wanted):
        _fail(saga, step, f"{label} takes {wanted.__name__}", f"take the saga's input, {saga.input.__name__}")
    if builder is step.undo and count == 2 and hints.get(names[1], Cause) not in (Cause, str):
        _fail(saga, step, f"{label} wants {hints[names[1]]}", "a compensation may take the Cause, never a reply")
    made = hints.get("return")
    if isinstance(made, type) and not (issubclass(made, Command) and (made is Command or made.participant)):
        _fail(saga, step, f"{label} makes {made.__name__}", "return a Command that names its participant")


def _given_earlier(saga: "Saga[Any]") -> None:
    group_of = {at: number for number, group in enumerate(saga.groups) for at in group}
    for at, step in enumerate(saga.steps):
        if step.given is None:
            continue
        source = saga.index.get(step.given.step)
        if source is None or group_of[source] >= group_of[at] or saga.steps[source].ask is None:
            _fail(saga, step, f"{step.given.step!r} is not asked before it", "name a step of an earlier group")
        if saga.steps[source].kind is Kind.BEST_EFFORT:
            wrong = f"{step.given.step!r} may be given up, and its reply never come"
            _fail(saga, step, wrong, "name a step of an earlier group that has to be done")


def _times_fit(saga: "Saga[Any]") -> None:
    total = 0.0
    for step in saga.steps:
        if step.timeout_s <= 0 or step.retry.attempts < 1 or step.undo_retry.attempts < 1:
            _fail(saga, step, "its timeout or budget is not positive", "give timeout_s > 0 and attempts >= 1")
    for group in saga.groups[: saga.commit_group]:
        slowest = max((saga.steps[at] for at in group), key=_patience)
        total += _patience(slowest)
        if total > saga.deadline_s:
            wrong = f"timeouts up to here may take {total:g} s, the saga's deadline is {saga.deadline_s:g} s"
            _fail(saga, slowest, wrong, "shorten timeout_s or retry, or give a longer deadline_s")


def _patience(step: Step[Any]) -> float:
    """The longest time, in seconds, that a step may take before it counts as unknown."""
    if step.ask is None:
        return 0.0
    pauses = sum(step.retry.pause_s(attempt, roll=1.0) for attempt in range(1, step.retry.attempts))
    return step.timeout_s * step.retry.attempts + pauses
