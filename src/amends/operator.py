"""What a person does to sagas: carried out by the coordinator, recorded with who and why.

The library's command line writes into the table `mends`, also from another process; the coordinator's next tick carries
it out. A program that runs the coordinator calls `mend` itself and has the answer at once.
"""

from collections.abc import Callable
from typing import Any

from amends.connections import Tx
from amends.coordinator import Coordinator
from amends.errors import CannotMend, Elsewhere
from amends.machine import Decision, Moment
from amends.mending import Action, mend
from amends.messages import SagaId
from amends.pages import Instance, Mend
from amends.ports import Runtime, Storage
from amends.saga import Saga


class Operator:
    """Carries out the operators' actions on one coordinator's sagas."""

    def __init__(self, coordinator: Coordinator, storage: Storage, runtime: Runtime) -> None:
        self._coordinator = coordinator
        self._storage = storage
        self._runtime = runtime

    async def mend(self, saga: SagaId, action: Action, who: str, why: str, step: str = "") -> Instance:
        """Acts and records. Raises `LookupError` for an unknown saga, `CannotMend` with the cause."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            return await self.mend_in(tx, saga, action, who, why, step)

    async def mend_in(self, tx: Tx, saga: SagaId, action: Action, who: str, why: str, step: str = "") -> Instance:
        """The same in the caller's transaction. A saga of another process is moved by that one, a moment later."""
        asked = Mend(self._runtime.new_id(), saga, step, action.value, who, why, tx.now)
        try:
            instance = await self._coordinator.decide(tx, saga, _decider(asked))
        except Elsewhere:
            await self._storage.mends.insert(tx, asked)
            return (await self._storage.sagas.load(tx, [saga]))[saga]
        await self._storage.mends.insert(tx, asked._replace(applied_at=tx.now, result="done"))
        return instance

    async def carry_out(self) -> int:
        """Acts on what was written into `mends` for sagas of this process; returns how many were looked at."""
        async with self._storage.reading() as reader:
            waiting = await self._storage.mends.waiting(reader, limit=100)
        for asked in waiting:
            await self._carry_out(asked)
        return len(waiting)

    async def _carry_out(self, asked: Mend) -> None:
        try:
            async with self._storage.transaction(self._runtime.now()) as tx:
                await self._coordinator.decide(tx, asked.saga, _decider(asked))
                await self._storage.mends.close(tx, asked.id, "done")
        except Elsewhere:
            return
        except (CannotMend, LookupError, ValueError) as error:
            async with self._storage.transaction(self._runtime.now()) as tx:
                await self._storage.mends.close(tx, asked.id, f"impossible: {error}")


def _decider(asked: Mend) -> Callable[[Saga[Any], Instance, Moment], Decision]:
    action, note = Action(asked.action), f"{asked.who}: {asked.why}"

    def decide(saga: Saga[Any], instance: Instance, moment: Moment) -> Decision:
        return mend(saga, instance.state, action, note, moment, asked.step)

    return decide
