"""Sagas as the operator's API shows them. Inputs and payloads stay inside: they hold what is private."""

from typing import Any

import msgspec

from amends.pages import Instance, Mend
from amends.plan import planned, would_undo
from amends.saga import Saga
from amends.state import Entry, StepState
from amends.steps import Step
from shop.ops.desks import step_name
from shop.ops.sagas import Found
from shop.web import rfc3339


class SagaLine(msgspec.Struct, frozen=True):
    """`steps` are those at which it stands; `cause` says why it turned back."""

    id: str
    name: str
    service: str
    state: str
    cause: str
    steps: list[str]
    started_at: str


class StepDefinition(msgspec.Struct, frozen=True):
    """Steps of one `group` are asked at the same time. `attempts` is the budget."""

    name: str
    kind: str
    group: int
    timeout_s: float
    attempts: int
    compensation: bool


class Definition(msgspec.Struct, frozen=True):
    name: str
    version: str
    deadline_s: float
    steps: list[StepDefinition]


class StepNow(msgspec.Struct, frozen=True):
    """`due` is when patience ends."""

    name: str
    state: str
    attempts: int
    at: str | None
    due: str | None


class Line(msgspec.Struct, frozen=True):
    """A line of the history; `step` is empty for the saga itself."""

    at: str
    step: str
    what: str
    detail: str


class PlannedStep(msgspec.Struct, frozen=True):
    """`command` is the type of what would be sent; empty when it hangs on a reply still to come."""

    step: str
    command: str


class MendView(msgspec.Struct, frozen=True):
    """What an operator did, or asked for; `applied_at` is null while it waits."""

    action: str
    step: str
    actor: str
    reason: str
    asked_at: str
    applied_at: str | None
    result: str


class SagaDetail(msgspec.Struct, frozen=True):
    saga: SagaLine
    deadline: str
    definition: Definition
    steps: list[StepNow]
    history: list[Line]
    planned: list[PlannedStep]
    would_undo: list[PlannedStep]
    mends: list[MendView]


def line_of(found: Found) -> SagaLine:
    instance, state = found.instance, found.instance.state
    started = rfc3339(instance.started_at)
    return SagaLine(instance.id, instance.name, found.service, state.status, state.cause, found.at_work(), started)


def detail_of(found: Found, mends: list[Mend]) -> SagaDetail:
    """Of a saga whose definition is gone less can be said."""
    saga, instance, state = found.definition, found.instance, found.instance.state
    return SagaDetail(
        saga=line_of(found),
        deadline=rfc3339(state.deadline),
        definition=_gone(instance) if saga is None else _definition(saga),
        steps=[_now(step_name(saga, at), step) for at, step in enumerate(state.steps)],
        history=[_line(saga, entry) for entry in state.history],
        planned=[] if saga is None else [PlannedStep(each.step, each.command) for each in planned(saga, instance)],
        would_undo=[]
        if saga is None
        else [PlannedStep(each.step, each.command) for each in would_undo(saga, instance)],
        mends=[_mend(each) for each in mends],
    )


def _definition(saga: Saga[Any]) -> Definition:
    groups = {at: number for number, group in enumerate(saga.groups) for at in group}
    steps = [_step(step, groups[at]) for at, step in enumerate(saga.steps)]
    return Definition(saga.name, saga.version, saga.deadline_s, steps)


def _gone(instance: Instance) -> Definition:
    steps = [StepDefinition(step_name(None, at), "", at, 0.0, 0, False) for at in range(len(instance.state.steps))]
    return Definition(instance.name, instance.version, 0.0, steps)


def _step(step: Step[Any], group: int) -> StepDefinition:
    return StepDefinition(
        step.name, step.kind, group, step.timeout_s, step.retry.attempts, compensation=step.undo is not None
    )


def _now(name: str, state: StepState) -> StepNow:
    return StepNow(name, state.phase, state.attempts, _at(state.at), _at(state.due))


def _line(saga: Saga[Any] | None, entry: Entry) -> Line:
    step = step_name(saga, entry.step) if entry.step >= 0 else ""
    return Line(rfc3339(entry.at), step, entry.what, entry.detail)


def _mend(mend: Mend) -> MendView:
    asked, applied = rfc3339(mend.asked_at), _at(mend.applied_at)
    return MendView(mend.action, mend.step, mend.who, mend.why, asked, applied, mend.result)


def _at(time_s: float | None) -> str | None:
    return rfc3339(time_s) if time_s else None
