"""Answers what is known by now: all that has become known meanwhile in one transaction."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from amends.adapters.postgres.xa import operations
from amends.adapters.postgres.xa.gids import Verb
from amends.adapters.postgres.xa.operations import XaOperation
from amends.connections import Tx
from amends.halving import in_halves
from amends.messages import AlreadyCompensated, Refusal
from amends.participant import Answer, Asked
from amends.ports import Runtime
from amends.service import Service
from amends.stumbling import again

Give = Callable[[Tx, Sequence[tuple[Asked, Answer]]], Awaitable[None]]


class Known(NamedTuple):
    """What came of an operation."""

    operation: XaOperation
    answer: Answer


class Answers:
    """`answered` hears of what is durable; `failed` of one that can't be given, `away` of all when none can."""

    def __init__(
        self,
        service: Service,
        give: Give,
        answered: Callable[[Sequence[Known]], None],
        failed: Callable[[XaOperation, Exception], Awaitable[None]],
        away: Callable[[Sequence[XaOperation], Exception], None],
    ) -> None:
        self._storage = service.storage
        self._runtime: Runtime = service.runtime
        self._give = give
        self._answered = answered
        self._failed = failed
        self._away = away
        self._ready: list[Known] = []
        self._wanted = self._runtime.signal()

    def put(self, known: Known) -> None:
        self._ready.append(known)
        self._wanted.set()

    async def run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            ready, self._ready = sorted(self._ready, key=lambda each: each.operation.gid), []
            try:
                await in_halves(ready, self._give_again, self._isolate)
            except Exception as error:  # the database is away: what was not answered is still noted
                self._away([each.operation for each in ready], error)

    async def _give_again(self, ready: Sequence[Known]) -> None:
        await again(lambda: self._give_all(ready), self._runtime)
        self._answered(ready)

    async def _isolate(self, known: Known, error: Exception) -> None:
        await self._failed(known.operation, error)

    async def _give_all(self, ready: Sequence[Known]) -> None:
        """What another process has answered meanwhile is left out."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            left = await operations.open_of(tx, [each.operation.gid for each in ready])
            settled: dict[tuple[str, Verb], Answer] = {}
            for key, answer in (pair for each in ready for pair in _settled(each)):
                if key in left:
                    settled.setdefault(key, answer)
            await self._give(tx, [(left[key], answer) for key, answer in settled.items()])
            await operations.close(tx, list(settled))


def _settled(known: Known) -> list[tuple[tuple[str, Verb], Answer]]:
    """An abort answers the prepare that it came before, too: it will not take place any more."""
    gid, verb = known.operation.key
    settled = [((gid, verb), known.answer)]
    if verb is Verb.ABORT and not isinstance(known.answer, Refusal):
        settled.append(((gid, Verb.PREPARE), AlreadyCompensated()))
    return settled
