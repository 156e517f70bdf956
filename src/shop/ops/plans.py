"""What a saga would still do: the steps ahead, and the compensations if it turned back now."""

from typing import Any, NamedTuple

from amends.asking import build, input_of
from amends.messages import Operation, type_name
from amends.pages import Instance
from amends.saga import Saga
from amends.state import ENDED, Phase

_DID = frozenset({Phase.DONE, Phase.ASKED})
_STILL_UNDOING = _DID | {Phase.UNDOING, Phase.STUCK}


class Ahead(NamedTuple):
    """A step, and the type of the command that it would send; empty when that hangs on a reply still to come."""

    step: str
    command: str


def planned(saga: Saga[Any], instance: Instance) -> list[Ahead]:
    """The steps that wait to be asked when all goes well, in order."""
    if instance.state.status in ENDED or instance.state.backward:
        return []
    waiting = [at for at, state in enumerate(instance.state.steps) if state.phase is Phase.WAITING]
    return [_ahead(saga, instance, at, Operation.ACTION) for at in waiting]


def would_undo(saga: Saga[Any], instance: Instance) -> list[Ahead]:
    """The compensations that would run, last step first: all that are left, or those of a turn back at this point."""
    state = instance.state
    if state.status in ENDED or (not state.backward and state.group >= saga.commit_group):
        return []
    open_phases = _STILL_UNDOING if state.backward else _DID
    standing = [at for at, each in enumerate(state.steps) if each.phase in open_phases and saga.steps[at].undo]
    return [_ahead(saga, instance, at, Operation.COMPENSATION) for at in reversed(standing)]


def _ahead(saga: Saga[Any], instance: Instance, at: int, operation: Operation) -> Ahead:
    step = saga.steps[at]
    given = step.given if operation is Operation.ACTION else None
    if given is not None and instance.state.steps[saga.index[given.step]].phase is not Phase.DONE:
        return Ahead(step.name, "")
    command = build(step, input_of(saga, instance), instance.state, saga, operation)
    return Ahead(step.name, type_name(type(command)))
