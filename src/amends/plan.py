"""What is still to come for a saga: its steps, and the compensations that would run if it turned back now. Pure."""

from typing import Any, NamedTuple

from amends.asking import build, input_of
from amends.messages import Operation, type_name
from amends.pages import Instance, Parked
from amends.saga import Saga
from amends.state import ENDED, Entry, Phase, SagaState
from amends.steps import Kind

_AT_WORK = frozenset({Phase.ASKED, Phase.UNDOING, Phase.STUCK})
_DID = frozenset({Phase.DONE, Phase.ASKED})
_STILL_UNDOING = _DID | {Phase.UNDOING, Phase.STUCK}


class Ahead(NamedTuple):
    """A step, the type of the command that it would send ("" when that hangs on a reply to come), and its group."""

    step: str
    command: str
    group: int


def at_work(state: SagaState) -> list[int]:
    """The indexes of the steps at which a saga stands: asked, being undone, or stuck."""
    return [] if state.status in ENDED else [at for at, step in enumerate(state.steps) if step.phase in _AT_WORK]


def planned(saga: Saga[Any], instance: Instance) -> list[Ahead]:
    """The steps not asked yet, in order; none once the saga has turned back or ended."""
    state = instance.state
    if state.backward or state.status in ENDED:
        return []
    waiting = [at for at, step in enumerate(state.steps) if step.phase is Phase.WAITING]
    return [_ahead(saga, instance, at, Operation.ACTION) for at in waiting]


def would_undo(saga: Saga[Any], instance: Instance) -> list[Ahead]:
    """The compensations that would run, in that order: if the saga turned back now, or all that are left.

    None once nothing can turn it back. A step whose answer is still open counts, as the machine counts it.
    """
    state = instance.state
    if state.status in ENDED or not (state.backward or _can_turn_back(saga, state)):
        return []
    open_phases = _STILL_UNDOING if state.backward else _DID
    left = [at for at, step in enumerate(state.steps) if step.phase in open_phases and saga.steps[at].undo]
    return [_ahead(saga, instance, at, Operation.COMPENSATION) for at in reversed(left)]


def stuck_entry(state: SagaState, at: int) -> Entry:
    """The line of the history that says since when, and why, a step is stuck."""
    found = (each for each in reversed(state.history) if each.step == at and each.what == Phase.STUCK)
    return next(found, Entry(state.steps[at].at, at, Phase.STUCK.value))


def is_stuck(parked: Parked) -> bool:
    """It needs a person; one that was never tried only waits behind another of its key."""
    return parked.retry_at is None and parked.attempts > 0


def _can_turn_back(saga: Saga[Any], state: SagaState) -> bool:
    """Before the commit group always; at the pivot until it is answered, for it may be refused."""
    if state.group != saga.commit_group:
        return state.group < saga.commit_group
    first = saga.groups[state.group][0]
    return saga.steps[first].kind is Kind.PIVOT and first in at_work(state)


def _ahead(saga: Saga[Any], instance: Instance, at: int, operation: Operation) -> Ahead:
    step = saga.steps[at]
    group = next(number for number, group in enumerate(saga.groups) if at in group)
    given = step.given if operation is Operation.ACTION else None
    if given is not None and instance.state.steps[saga.index[given.step]].phase is not Phase.DONE:
        return Ahead(step.name, "", group)
    command = build(step, input_of(saga, instance), instance.state, saga, operation)
    return Ahead(step.name, type_name(type(command)), group)
