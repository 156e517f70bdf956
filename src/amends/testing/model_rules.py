"""What holds in every world of the model, whatever is still on its way."""

from collections.abc import Sequence

from amends.messages import Operation, Outcome
from amends.saga import Kind, Saga
from amends.state import SagaState, Status
from amends.testing.model_participant import DO, UNDO, Place
from amends.testing.model_words import Order

Effects = tuple[str, ...]

_WRONG_ORDERS = {
    (UNDO,): "is undone, and nothing was done",
    (DO, DO): "is done twice",
    (DO, UNDO, UNDO): "is undone twice",
    (DO, UNDO, DO): "is done again after it was undone",
}


def broken(saga: Saga[Order], state: SagaState, places: Sequence[Place]) -> str:
    """The first rule that does not hold, in words; an empty text when all do."""
    homes = [places[min(at, len(places) - 1)] for at in range(len(saga.steps))]
    effects = [home.effects[at] for at, home in enumerate(homes)]
    for at, step in enumerate(saga.steps):
        found = _WRONG_ORDERS.get(effects[at]) or _stands(homes[at], step.name, effects[at])
        if found:
            return f"{step.name} {found}"
    if any(place.zombie for place in places):
        return "something is carried out for a coordinator whose successor was heard of"
    return _after_the_pivot(saga, state, effects) or _at_the_end(saga, state, effects)


def _stands(home: Place, step: str, effects: Effects) -> str:
    answered = any(
        key.step == step and key.operation is Operation.COMPENSATION and row.outcome is Outcome.DONE
        for key, row in home.rows
    )
    return "stands, and its compensation was answered" if answered and effects == (DO,) else ""


def _after_the_pivot(saga: Saga[Order], state: SagaState, effects: Sequence[Effects]) -> str:
    """The pivot, or the first step that can't be undone, was done: only forward."""
    names = [step.name for step in saga.steps]
    final = [at for at, step in enumerate(saga.steps) if step.kind is not Kind.COMPENSATABLE and effects[at]]
    undone = [at for at, each in enumerate(effects) if UNDO in each]
    if final and undone:
        return f"{names[undone[0]]} is undone, and {names[final[0]]} was done"
    return f"the saga turns back, and {names[final[0]]} was done" if final and state.backward else ""


def _at_the_end(saga: Saga[Order], state: SagaState, effects: Sequence[Effects]) -> str:
    """All forward, or all undone."""
    for step, each in zip(saga.steps, effects, strict=True):
        if state.status is Status.COMPLETED and each != (DO,):
            return f"completed, and {step.name} is not done"
        if state.status is Status.COMPENSATED and each not in ((), (DO, UNDO)):
            return f"compensated, and {step.name} stands"
    return ""
