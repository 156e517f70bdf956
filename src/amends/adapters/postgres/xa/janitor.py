"""Ends what is prepared and nobody asks for any more, as the coordinator's log says; gives alarm for what is old."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amends.adapters.postgres.slots import Gauges
from amends.adapters.postgres.xa import marks
from amends.adapters.postgres.xa.binding import XaParticipant
from amends.adapters.postgres.xa.gids import Verb, saga_of
from amends.adapters.postgres.xa.settings import XaSettings
from amends.adapters.postgres.xa.transactions import Prepared, XaTransactions, prepared
from amends.decisions import Decisions, Fate
from amends.messages import Refusal, SagaId
from amends.service import Service
from amends.signals import Field

_PRUNE_EVERY_S = 60.0


class InDoubt(NamedTuple):
    """How many transactions are prepared, and for how many seconds the oldest one is."""

    transactions: int = 0
    oldest_s: float = 0.0


class XaJanitor:
    """A chore. Without `decisions` it resolves nothing."""

    def __init__(
        self,
        xa: XaParticipant,
        service: Service,
        transactions: XaTransactions,
        decisions: Decisions | None,
        settings: XaSettings,
    ) -> None:
        self.in_doubt = InDoubt()
        self._xa = xa
        self._storage = service.storage
        self._runtime = service.runtime
        self._signals = service.signals
        self._transactions = transactions
        self._decisions = decisions
        self._settings = settings
        self._look_at = self._runtime.now() + settings.look_every_s
        self._prune_at = 0.0

    async def __call__(self) -> None:
        now = self._runtime.now()
        if now >= self._look_at:
            self._look_at = now + self._settings.look_every_s
            await self.look()
        if now >= self._prune_at:
            self._prune_at = now + _PRUNE_EVERY_S
            await self.prune()

    async def look(self) -> None:
        """One round: counts what is prepared, gives alarm, resolves what is old enough and decided."""
        async with self._storage.reading() as reader:
            found = await prepared(reader, self._xa.prefix)
        self.in_doubt = InDoubt(len(found), found[0].age_s if found else 0.0)
        self._give_alarm(found)
        old = [each for each in found if each.age_s >= self._settings.resolve_after_s]
        if old and self._decisions is not None:
            fates = await self._decisions(sorted({self._saga(each) for each in old}))
            await self._resolve(old, fates)

    def show(self, gauges: Gauges) -> None:
        """How many transactions are prepared and how old the oldest is, as of the last round."""
        labels = ("service",)
        gauges.gauge("amends_xa_prepared", "Transactions that are prepared", labels, self._count)
        gauges.gauge("amends_xa_oldest_seconds", "Age of the oldest of them", labels, self._age)

    async def _count(self) -> Mapping[tuple[str, ...], float]:
        return {(self._storage.name,): self.in_doubt.transactions}

    async def _age(self) -> Mapping[tuple[str, ...], float]:
        return {(self._storage.name,): self.in_doubt.oldest_s}

    async def prune(self) -> int:
        """Removes marks that are older than anything that could still ask for them; returns how many."""
        now = self._runtime.now()
        async with self._storage.transaction(now) as tx:
            return await marks.prune(tx, now - self._settings.keep_marks_s)

    def _give_alarm(self, found: Sequence[Prepared]) -> None:
        old = [each for each in found if each.age_s >= self._settings.alarm_after_s]
        if old:
            named = [each.gid for each in old[:20]]
            self._signals.emit(
                "xa.old", participant=self._xa.name, count=len(old), oldest_s=round(old[0].age_s, 3), gids=named
            )

    async def _resolve(self, old: Sequence[Prepared], fates: Mapping[SagaId, Fate]) -> None:
        for each in old:
            verb = _VERBS.get(fates.get(self._saga(each), Fate.UNDECIDED))
            if verb is not None:
                try:
                    await self._end(each, verb)
                except Exception as error:  # the runner may be at it: the next round looks again
                    told = f"{type(error).__name__}: {error}"[:500]
                    self._signals.emit("xa.failed", error=told, **self._named(each, verb))

    async def _end(self, each: Prepared, verb: Verb) -> None:
        if verb is Verb.ABORT:
            answer = await self._transactions.abort(each.gid)
        else:
            answer = await self._transactions.commit(each.gid)
            await self._touch(each.gid)
        if isinstance(answer, Refusal):
            self._signals.emit("xa.contradicted", **self._named(each, verb))
        else:
            self._signals.emit("xa.resolved", age_s=round(each.age_s, 3), **self._named(each, verb))

    async def _touch(self, gid: str) -> None:
        """The command to commit may still come: its mark counts as young, however long it was prepared."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            await marks.touch(tx, [gid])

    def _named(self, each: Prepared, verb: Verb) -> dict[str, Field]:
        return {"participant": self._xa.name, "saga": self._saga(each), "gid": each.gid, "verb": verb.value}

    def _saga(self, each: Prepared) -> SagaId:
        return saga_of(self._xa.name, each.gid)


_VERBS = {Fate.COMMIT: Verb.COMMIT, Fate.ABORT: Verb.ABORT}
