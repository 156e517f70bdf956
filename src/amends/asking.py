"""Makes commands: from a definition, an instance and what the machine wants asked, to envelopes."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from amends.checks import undo_arity
from amends.draft import Ask
from amends.messages import Command, Envelope, Kind, MessageId, Operation, encode, type_name
from amends.pages import Instance
from amends.ports import Runtime, Tracer
from amends.saga import Saga
from amends.state import Phase, SagaState
from amends.steps import I, Step
from amends.steps import Kind as StepKind


class Asker:
    """Knows who asks: `coordinator` is the address of the replies, `epoch` its lease."""

    def __init__(self, coordinator: str, runtime: Runtime, tracer: Tracer) -> None:
        self._coordinator = coordinator
        self._runtime = runtime
        self._tracer = tracer

    def envelopes(
        self, saga: Saga[Any], instance: Instance, asks: Iterable[Ask], epoch: int, now: float
    ) -> list[Envelope]:
        """The commands in the order in which they were asked."""
        data = input_of(saga, instance)
        return [self._envelope(saga, instance, data, ask, epoch, now) for ask in asks]

    def _envelope(
        self, saga: Saga[Any], instance: Instance, data: msgspec.Struct, ask: Ask, epoch: int, now: float
    ) -> Envelope:
        step = saga.steps[ask.step]
        command = build(step, data, instance.state, saga, ask.operation)
        id = MessageId(self._runtime.new_id())
        return Envelope(
            id=id,
            kind=Kind.COMMAND,
            type=type_name(type(command)),
            to=command.participant,
            key=instance.id,
            at=now,
            payload=encode(command),
            saga=instance.id,
            step=step.name,
            operation=ask.operation,
            attempt=ask.attempt,
            epoch=epoch,
            sender=self._coordinator,
            again=ask.again,
            deadline=_deadline(step, ask, instance.state),
            traceparent=self._tracer.of_message(id, instance.traceparent),
            begun=step.ask is None,
            shard=instance.shard,
        )


def build(step: Step[Any], data: msgspec.Struct, state: SagaState, saga: Saga[Any], operation: Operation) -> Command:
    """The step's command, or its compensation."""
    if operation is Operation.COMPENSATION:
        assert step.undo is not None
        return step.undo(data, state.cause) if _wants_cause(step) else step.undo(data)
    assert step.ask is not None
    if step.given is None:
        return step.ask(data)
    reply = state.steps[saga.index[step.given.step]].reply
    return step.ask(data, msgspec.json.decode(reply or b"{}", type=step.given.reply))


def input_of(saga: Saga[I], instance: Instance) -> I:
    """What the saga was started with."""
    data: I = _decoder(saga).decode(instance.input)
    return data


def open_asks(state: SagaState) -> list[Ask]:
    """What was asked and not answered: asked anew by whoever takes the saga over."""
    asks = []
    for at, step in enumerate(state.steps):
        if step.due is not None and step.phase in (Phase.ASKED, Phase.UNDOING):
            undo = step.phase is Phase.UNDOING
            asks.append(Ask(at, Operation.COMPENSATION if undo else Operation.ACTION, step.attempts, step.again))
    return asks


def _deadline(step: Step[Any], ask: Ask, state: SagaState) -> float | None:
    """Only an action that can still be turned back goes stale."""
    action = ask.operation is Operation.ACTION
    return state.deadline if action and step.kind is StepKind.COMPENSATABLE else None


@cache
def _decoder(saga: Saga[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(saga.input)


@cache
def _wants_cause(step: Step[Any]) -> bool:
    return undo_arity(step) == 2
