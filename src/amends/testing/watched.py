"""What stands between a service and its world: it refuses and fails by chance, and what it does is noted."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from amends.faults import Faults
from amends.hops import Handled, Moved
from amends.messages import Envelope, Operation, Outcome
from amends.pages import Instance
from amends.participant import Handler, Participant
from amends.saga import Saga
from amends.signals import Field
from amends.testing.chances import Chances
from amends.testing.processes import Process
from amends.testing.worlds import World

_SLOW_S = 1.0


class Refusing(Faults):
    """Refuses by chance what may be refused; now and then gives no answer, or says only that it failed.

    Who asks again gets the answer.
    """

    def __init__(self, process: Process, definitions: Sequence[Saga[Any]], chances: Chances) -> None:
        super().__init__(process.runtime, definitions)
        self._chances = chances

    def refuses(self, envelope: Envelope) -> bool:
        may = envelope.operation is Operation.ACTION and envelope.step in self._refusable
        return may and self._chances.fires("participant refuses")

    def sent(self, reply: Envelope) -> list[tuple[float, Envelope]]:
        if self._chances.fires("answer lost"):
            return []
        return super().sent(failed(reply) if self._chances.fires("answer failed") else reply)


def failed(reply: Envelope) -> Envelope:
    """What a coordinator hears in place of it when whoever asked the participant has got no answer to be read."""
    return msgspec.structs.replace(reply, type="unavailable", outcome=Outcome.FAILED, payload=b"{}")


class Heard:
    """Notes what a service says of itself when something is wrong."""

    def __init__(self, world: World, who: str) -> None:
        self._world = world
        self._who = who

    def __call__(self, name: str, fields: dict[str, Field]) -> None:
        if name not in ("sagas.moved", "participant.hop"):  # `Observed` tells more
            saga = str(fields.get("saga", ""))
            told = ", ".join(f"{key} {value}" for key, value in fields.items() if key not in ("saga", "traceparent"))
            self._world.tell(self._who, name, told, saga)


class Observed:
    """Notes each move of a saga, and each answer of a participant."""

    def __init__(self, world: World, who: str) -> None:
        self._world = world
        self._who = who

    def moved(self, hop: Moved) -> None:
        for id, change in hop.changes.items():
            self._world.tell(self._who, "moved", last(change.after), id)

    def handled(self, hop: Handled) -> None:
        for reply in hop.replies:
            done = f"{reply.step} {reply.operation}: {reply.outcome}"
            self._world.tell(self._who, "answered", done, reply.saga)


def failing(participant: Participant, chances: Chances) -> Participant:
    """The same participant, whose handlers fail now and then, before or after their work."""
    tried = participant.copy()
    for name, handler in participant._handlers.items():
        tried._handlers[name] = handler._replace(function=_now_and_then(handler, chances))
    return tried


def _now_and_then(handler: Handler, chances: Chances) -> Callable[..., Any]:
    async def tried(*arguments: Any) -> Any:
        if chances.fires("participant slow"):
            await asyncio.sleep(chances.of("participant slow").random() * _SLOW_S)
        early = chances.of("participant fails").random() < 0.5
        if early and chances.fires("participant fails"):
            raise RuntimeError("failed before its work, by chance")
        answer = await handler.function(*arguments)
        if not early and chances.fires("participant fails"):
            raise RuntimeError("failed after its work, by chance")
        return answer

    return tried


def last(instance: Instance) -> str:
    phases = ", ".join(step.phase.value for step in instance.state.steps)
    return f"{instance.state.status.value} [{phases}]"
