"""What a person may do to a saga: cancel it, or mend a stuck one. Pure, like the machine.

| action  | when                              | what happens                                              |
|---------|-----------------------------------|-----------------------------------------------------------|
| cancel  | before the commit group           | the saga turns back                                       |
| retry   | stuck                             | the stuck steps are asked afresh, with a whole budget;    |
|         |                                   | a refused one runs again, but a pivot repeats its answer  |
| skip    | stuck, but not at the pivot       | the stuck steps are given up, the saga goes on            |
| resolve | stuck                             | a person has done them by hand, the saga goes on          |
"""

from enum import StrEnum
from typing import Any

from amends.draft import Draft
from amends.errors import CannotMend
from amends.machine import Decision, Moment
from amends.saga import Saga
from amends.state import ENDED, Phase, SagaState, Status
from amends.steps import Kind


class Action(StrEnum):
    CANCEL = "cancel"
    RETRY = "retry"
    SKIP = "skip"
    RESOLVE = "resolve"


def mend(saga: Saga[Any], state: SagaState, action: Action, note: str, moment: Moment, step: str = "") -> Decision:
    """Carries an action out on one stuck step, or on all of them when `step` is empty.

    `note` says who and why; it goes into the history. Raises `CannotMend` with the cause when it is impossible.
    """
    draft = Draft(saga, state, moment.now, moment.roll)
    if action is Action.CANCEL:
        _cancel(draft, note)
    else:
        for at in _stuck_steps(saga, state, step):
            _ask_again(draft, at, note) if action is Action.RETRY else _give_up(draft, at, action, note)
        draft.unwind() if draft.backward else draft.go_on()
    return Decision(draft.freeze(), tuple(draft.asks))


def _cancel(draft: Draft, note: str) -> None:
    if draft.status in ENDED:
        raise CannotMend(f"the saga has ended: {draft.status}")
    if draft.backward:
        raise CannotMend(f"the saga is turned back already: {draft.cause}")
    if draft.committed:
        raise CannotMend("the saga is past the point of no return: it only goes forward")
    draft.note(-1, "cancel", note)
    draft.turn_back("cancelled")


def _stuck_steps(saga: Saga[Any], state: SagaState, step: str) -> list[int]:
    stuck = [at for at, each in enumerate(state.steps) if each.phase is Phase.STUCK]
    if step and saga.index.get(step) not in stuck:
        raise CannotMend(f"step {step!r} is not stuck")
    if not stuck:
        raise CannotMend(f"no step is stuck: the saga is {state.status}")
    return [saga.index[step]] if step else stuck


def _ask_again(draft: Draft, at: int, note: str) -> None:
    """A refused pivot has turned its saga back, or will when the answer comes: it must not run again."""
    draft.note(at, "retry", note)
    draft.reopen(at, again=draft.definition(at).kind is not Kind.PIVOT)


def _give_up(draft: Draft, at: int, action: Action, note: str) -> None:
    """Nobody asks the step any more: it is skipped, or a person has done it."""
    _check_given(draft, at)
    if action is Action.SKIP and draft.definition(at).kind is Kind.PIVOT and not draft.backward:
        raise CannotMend("a pivot can't be skipped: retry it, or resolve it once you know that it happened")
    draft.status = Status.COMPENSATING if draft.backward else Status.RUNNING
    draft.put(at, Phase.SKIPPED if action is Action.SKIP else Phase.RESOLVED, note)


def _check_given(draft: Draft, at: int) -> None:
    """Commands of later steps can't be made without the reply that they are given."""
    name = draft.definition(at).name
    takers = [step.name for step in draft.saga.steps if step.given is not None and step.given.step == name]
    if takers and not draft.backward:
        raise CannotMend(f"{takers[0]!r} is given the reply of {name!r}: retry it")
