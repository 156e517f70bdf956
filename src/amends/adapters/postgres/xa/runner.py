"""Carries out what the participant's hop has noted, until every answer is given.

    noted ──prepare, commit, abort──▶ known ──one transaction──▶ answered
              └─ a lock is not free, the database is away ─▶ pause ─▶ again

What is to be done is in the table `xa_operations`, so a crash costs nothing but a repetition; that nothing takes place
twice is up to the marks. Each process that handles commands runs one: what its hop has noted, it takes from memory.
"""

from collections.abc import Sequence
from functools import partial

from amends.adapters.postgres.xa import marks, operations
from amends.adapters.postgres.xa.answers import Answers, Known
from amends.adapters.postgres.xa.binding import XaParticipant
from amends.adapters.postgres.xa.gids import Verb
from amends.adapters.postgres.xa.janitor import InDoubt, XaJanitor
from amends.adapters.postgres.xa.lane import Lane
from amends.adapters.postgres.xa.operations import CLAIM_S, XaOperation
from amends.adapters.postgres.xa.refusals import CommittedAlready, Lost
from amends.adapters.postgres.xa.settings import XaSettings
from amends.adapters.postgres.xa.transactions import PREPARED, XaTransactions, is_blocked
from amends.decisions import Decisions
from amends.errors import StorageError
from amends.participant import Answer
from amends.ports import Task
from amends.service import Service
from amends.signals import Field
from amends.timers import Ticker

XA_TABLES = (*operations.CREATE, *marks.CREATE)
"""The statements of a migration: XA's tables, in the participant's database."""

_CLAIMED_AT_ONCE = 500
_server = """
select
    current_setting('max_prepared_transactions')::bigint, to_regclass('xa_operations') is not null, current_database()
"""


class XaRunner:
    """Works for a service whose participant is an `XaParticipant`'s. Start it before the service, stop it before, too.

    `dsn` is the one of the service's own database, as the same role. Without `decisions`, what nobody asks for any more
    stays prepared, with an alarm.
    """

    def __init__(
        self,
        xa: XaParticipant,
        service: Service,
        dsn: str,
        settings: XaSettings | None = None,
        *,
        decisions: Decisions | None = None,
    ) -> None:
        assert service.hop is not None, f"service {service.name} has no participant"
        settings = settings or XaSettings()
        self._xa = xa
        self._service = service
        self._runtime = service.runtime
        self._signals = service.signals
        self._retry = settings.retry
        self._transactions = XaTransactions(dsn, service.name, self._runtime.now, settings)
        self.janitor = XaJanitor(xa, service, self._transactions, decisions, settings)
        self._prepares = Lane(f"{service.name} xa prepares", settings.prepares, self._runtime)
        self._resolutions = Lane(f"{service.name} xa resolutions", settings.resolutions, self._runtime)
        self._answers = Answers(service, service.hop.answer_all, self._answered, self._failed, self._away)
        self._tickers = [Ticker([each], self._runtime, self._signals) for each in (self.sweep, self.janitor)]
        self._held: set[tuple[str, Verb]] = set()
        self._noted_before = 0.0
        self._task: Task | None = None
        self._signals.listen(self._hear)

    @property
    def in_doubt(self) -> InDoubt:
        """What was prepared when the janitor last looked, for gauges."""
        return self.janitor.in_doubt

    async def start(self) -> None:
        """Goes on with what a crash has left. Raises `StorageError` where there can't be prepared transactions."""
        await self._check()
        self._take_over()
        self._xa.noted = self._take
        self._task = self._runtime.spawn(self._answers.run(), f"{self._service.name} xa answers")
        await self.sweep()
        for ticker in self._tickers:
            ticker.start(f"{self._service.name} timers of xa")

    async def stop(self) -> None:
        """Gives up what is at work: it is done again after the next start."""
        self._xa.noted = None
        for ticker in self._tickers:
            ticker.stop()
        await self._prepares.stop()
        await self._resolutions.stop()
        if self._task is not None:
            self._task.cancel()
            await self._task.join()
        for ticker in self._tickers:
            await ticker.stopped()
        await self._transactions.close()

    async def sweep(self) -> None:
        """Claims what is due: what has failed, and what other processes have left behind."""
        now = self._runtime.now()
        async with self._service.storage.transaction(now) as tx:
            claimed = await operations.claim(tx, max(now, self._noted_before), _CLAIMED_AT_ONCE)
        if len(claimed) < _CLAIMED_AT_ONCE:
            self._noted_before = 0.0
        self._take(claimed)

    def _take_over(self) -> None:
        """The next sweeps claim all that is noted by now, whoever has claimed it: he may be dead."""
        self._noted_before = self._runtime.now() + CLAIM_S

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        """A hop that did not hear of its own commit may have noted something all the same."""
        if name == "worker.failed" and fields["address"] == self._xa.name:
            self._take_over()

    def _take(self, noted: Sequence[XaOperation]) -> None:
        for each in noted:
            if each.key not in self._held:
                self._held.add(each.key)
                lane = self._prepares if each.verb is Verb.PREPARE else self._resolutions
                lane.put(partial(self._carry_out, each))

    async def _carry_out(self, each: XaOperation) -> None:
        try:
            self._answers.put(Known(each, await self._find_out(each)))
        except Exception as error:  # it stays noted: another attempt follows
            await self._failed(each, error)

    async def _find_out(self, each: XaOperation) -> Answer:
        match each.verb:
            case Verb.PREPARE:
                if each.prepared:
                    return PREPARED
                return await self._transactions.prepare(each.gid, self._xa.effect_of(each))
            case Verb.COMMIT:
                return await self._transactions.commit(each.gid)
            case Verb.ABORT:
                return await self._transactions.abort(each.gid)

    async def _failed(self, each: XaOperation, error: Exception) -> None:
        """Another attempt follows, after a pause."""
        self._tell(each, error)
        try:
            async with self._service.storage.transaction(self._runtime.now()) as tx:
                pause_s = self._retry.pause_s(each.attempts + 1, self._runtime.roll())
                await operations.postpone(tx, each, tx.now + pause_s)
            self._held.discard(each.key)
        except Exception as unreachable:  # nothing could be written
            self._away([each], unreachable)

    def _away(self, left: Sequence[XaOperation], error: Exception) -> None:
        """What became of these is found out again as soon as the database can be reached."""
        self._tell(left[0], error)
        self._held.difference_update([each.key for each in left])
        self._take_over()

    def _answered(self, known: Sequence[Known]) -> None:
        self._held.difference_update([each.operation.key for each in known])
        self._signals.emit("xa.answered", participant=self._xa.name, answers=len(known))
        for each in known:
            if isinstance(each.answer, Lost | CommittedAlready):
                self._signals.emit("xa.contradicted", **self._named(each.operation))

    def _tell(self, each: XaOperation, error: Exception) -> None:
        if is_blocked(error):
            self._signals.emit("xa.blocked", **self._named(each))
        else:
            self._signals.emit("xa.failed", error=f"{type(error).__name__}: {error}"[:500], **self._named(each))

    def _named(self, each: XaOperation) -> dict[str, Field]:
        return {"participant": self._xa.name, "saga": each.asked.saga, "gid": each.gid, "verb": each.verb.value}

    async def _check(self) -> None:
        async with self._service.storage.reading() as reader:
            [(most, has_tables, here)] = await reader.fetch(_server)
        name = self._service.name
        if not most:
            mend = "set it to at least the sagas in flight, in postgresql.conf, and restart the server"
            raise StorageError(f"service {name}: PostgreSQL's max_prepared_transactions is 0: {mend}")
        if not has_tables:
            mend = 'add Migration(…, "xa", XA_TABLES) to its migrations'
            raise StorageError(f"service {name}: its database has no table xa_operations: {mend}")
        if await self._transactions.where() != here:
            raise StorageError(f"service {name}: the dsn of XA has to lead to the service's own database, {here!r}")
