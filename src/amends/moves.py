"""What one transaction of the coordinator does to its sagas; several replies to one saga become one write."""

from collections.abc import Mapping
from typing import Any

from amends.asking import Asker
from amends.machine import Answer, Decision, Moment, advance, wake_at
from amends.messages import Envelope, SagaId
from amends.ports import Change, Instance
from amends.saga import Saga
from amends.state import ENDED

Definitions = Mapping[tuple[str, str], Saga[Any]]


class Moves:
    """Collects decisions: `changes` by saga, and how many come to their end."""

    def __init__(self, definitions: Definitions) -> None:
        self.changes: dict[SagaId, Change] = {}
        self.ended = 0
        self._definitions = definitions
        self._asks: list[tuple[SagaId, Decision]] = []

    def take(self, stored: Instance, reply: Envelope, moment: Moment) -> None:
        """Takes a reply in."""
        state = self._now(stored).state
        decision = advance(self._definition(stored), state, _answer(reply), moment)
        if decision.state is not state:
            self.put(stored, decision)

    def put(self, stored: Instance, decision: Decision, rearm: bool = False) -> None:
        """Records a decision; `stored` is the instance as it was loaded.

        A timer that is set too early is kept, unless `rearm`: it fires, finds nothing due and is set anew, which
        happens far less often than a reply that puts it off.
        """
        state = decision.state
        wake = wake_at(self._definition(stored), state)
        if not rearm and wake is not None and stored.wake_at is not None and stored.wake_at <= wake:
            wake = stored.wake_at
        self.ended += (state.status in ENDED) - (self._now(stored).state.status in ENDED)
        after = stored._replace(state=state, revision=stored.revision + 1, wake_at=wake)
        self.changes[stored.id] = Change(stored, after)
        if decision.asks:
            self._asks.append((stored.id, decision))

    def envelopes(self, asker: Asker, epoch: int, now: float) -> list[Envelope]:
        """The commands that the decisions ask for."""
        made: list[Envelope] = []
        for id, decision in self._asks:
            instance = self.changes[id].after
            made += asker.envelopes(self._definition(instance), instance, decision.asks, epoch, now)
        return made

    def _now(self, stored: Instance) -> Instance:
        change = self.changes.get(stored.id)
        return stored if change is None else change.after

    def _definition(self, instance: Instance) -> Saga[Any]:
        return self._definitions[instance.name, instance.version]


def _answer(reply: Envelope) -> Answer:
    return Answer(reply.step, reply.operation, reply.attempt, reply.outcome, reply.type, reply.payload)
