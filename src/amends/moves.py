"""What one transaction of the coordinator does to its sagas."""

from collections.abc import Mapping, Sequence
from typing import Any

from amends.asking import Asker
from amends.hops import Definitions
from amends.machine import Answered, Decision, Moment, advance_all, wake_at
from amends.messages import Envelope, SagaId
from amends.pages import Change, Instance
from amends.saga import Saga
from amends.state import ENDED


class Moves:
    """Collects decisions: `changes` by saga."""

    def __init__(self, definitions: Definitions) -> None:
        self.changes: dict[SagaId, Change] = {}
        self._definitions = definitions
        self._asks: list[tuple[SagaId, Decision]] = []

    def take(self, stored: Instance, answers: Sequence[Answered], moment: Moment) -> None:
        """Takes a saga's replies in. One that has ended is final; its definition may be gone by now."""
        if stored.state.status in ENDED:
            return
        self.put(stored, advance_all(self._definition(stored), stored.state, answers, moment))

    def put(self, stored: Instance, decision: Decision, rearm: bool = False) -> None:
        """Records a decision; `stored` is the instance as it was loaded.

        A timer that is set too early is kept, unless `rearm`: it fires, finds nothing due and is set anew, which
        happens far less often than a reply that puts it off.
        """
        state = decision.state
        wake = wake_at(self._definition(stored), state)
        if not rearm and wake is not None and stored.wake_at is not None and stored.wake_at <= wake:
            wake = stored.wake_at
        self.changes[stored.id] = Change(stored, stored.moved(state, wake))
        if decision.asks:
            self._asks.append((stored.id, decision))

    def envelopes(self, asker: Asker, epochs: Mapping[int, int], now: float) -> list[Envelope]:
        """The commands that the decisions ask for; `epochs` by shard."""
        made: list[Envelope] = []
        for id, decision in self._asks:
            instance = self.changes[id].after
            epoch = epochs[instance.shard]
            made += asker.envelopes(self._definition(instance), instance, decision.asks, epoch, now)
        return made

    def _definition(self, instance: Instance) -> Saga[Any]:
        return self._definitions[instance.name, instance.version]
