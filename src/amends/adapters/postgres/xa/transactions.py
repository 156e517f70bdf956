"""The prepared transactions of one participant: made, committed, rolled back, listed.

    begin ─▶ mark `committed` ─▶ effect ─▶ prepare transaction ─┬─▶ commit prepared
      └─ refusal, lock not free, error: rolled back             └─▶ rollback prepared ─▶ mark `aborted`

Each may be done again at any time, by several processes at once, and after a crash at any point.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import asyncpg

from amends.adapters.postgres.connection import PostgresTx, Sets
from amends.adapters.postgres.failures import told
from amends.adapters.postgres.pool import Connection, Connections, PoolOptions
from amends.adapters.postgres.xa import marks
from amends.adapters.postgres.xa.operations import CLAIM_S
from amends.adapters.postgres.xa.refusals import CommittedAlready, Lost
from amends.adapters.postgres.xa.settings import XaSettings
from amends.connections import Reader, Tx, untold
from amends.errors import DefinitionError, StorageError, TryTransactionAgain
from amends.messages import AlreadyCompensated, Done, Refusal
from amends.participant import Answer

PREPARED = Done()
prepared_transactions = """
select gid, extract(epoch from clock_timestamp() - prepared)::double precision
from pg_prepared_xacts
where database = current_database() and starts_with(gid, :prefix)
order by prepared
"""


class Prepared(NamedTuple):
    """A transaction that waits for its end, for `age_s` seconds by now."""

    gid: str
    age_s: float


async def prepared(reader: Reader, prefix: str) -> list[Prepared]:
    """The oldest first."""
    return [Prepared(*row) for row in await reader.fetch(prepared_transactions, (prefix,))]


def is_blocked(error: Exception) -> bool:
    """Nothing is wrong: somebody else has the lock, or is at work on the same transaction."""
    locked = isinstance(error.__cause__, asyncpg.LockNotAvailableError)
    return locked or isinstance(error, TryTransactionAgain | asyncpg.ObjectNotInPrerequisiteStateError)


class XaTransactions:
    """Has connections of its own. `gid` has to be one of `gids.gid_of`."""

    def __init__(self, dsn: str, name: str, now: Callable[[], float], settings: XaSettings) -> None:
        at_most = settings.prepares + settings.resolutions + 1
        self._connections = Connections(dsn, f"{name} xa", PoolOptions(at_most, patience_s=CLAIM_S))
        self._sets = Sets()
        self._now = now
        self._begin = f"begin; set local lock_timeout = {round(settings.lock_wait_s * 1000)}"

    async def prepare(self, gid: str, effect: Callable[[Tx], Awaitable[Refusal | None]]) -> Answer:
        """Has the effect prepared, unless it refuses, or the transaction has ended before."""
        tx = await self._opened()
        try:
            no = await effect(tx) if await marks.commit(tx, gid) else await _too_late(tx, gid)
            if no is None:
                await _prepare(tx, gid)
        except BaseException:
            await self._connections.undo(tx.connection)
            raise
        if no is None:
            await self._connections.give(tx.connection)
            return PREPARED
        await self._connections.undo(tx.connection)
        return _refusal(no, gid)

    async def commit(self, gid: str) -> Answer:
        """`Lost` when there is nothing to commit and it was not committed before."""
        if await self._resolve("commit prepared", gid):
            return Done()
        tx = await self._opened()
        try:
            committed = await marks.outcome(tx, gid) == "committed"
        finally:
            await self._connections.undo(tx.connection)
        return Done() if committed else Lost(gid)

    async def abort(self, gid: str) -> Answer:
        """`CommittedAlready` when it was. Whoever prepares it from now on is told that it has ended."""
        await self._resolve("rollback prepared", gid)
        tx = await self._opened()
        try:
            committed = not await marks.abort(tx, gid) and await marks.outcome(tx, gid) == "committed"
            await told(tx.connection.execute("commit"), tx.connection)
        except BaseException:
            await self._connections.undo(tx.connection)
            raise
        await self._connections.give(tx.connection)
        return CommittedAlready(gid) if committed else Done()

    async def where(self) -> str:
        """The name of the database."""
        tx = await self._opened()
        try:
            [(name,)] = await tx.fetch("select current_database()")
        finally:
            await self._connections.undo(tx.connection)
        return str(name)

    async def close(self) -> None:
        await self._connections.close()

    async def _opened(self) -> PostgresTx:
        return PostgresTx(await self._connections.begin(self._begin), self._sets, self._now())

    async def _resolve(self, how: str, gid: str) -> bool:
        """False when there is no such prepared transaction."""
        try:
            connection: Connection = await self._connections.begin(f"{how} '{gid}'")
        except asyncpg.UndefinedObjectError:
            return False
        await self._connections.give(connection)
        return True


async def _too_late(tx: Tx, gid: str) -> Refusal:
    """It has ended, and may be answered by now: then this answer is not given."""
    return CommittedAlready(gid) if await marks.outcome(tx, gid) == "committed" else AlreadyCompensated()


def _refusal(no: object, gid: str) -> Refusal:
    if isinstance(no, Refusal):
        return no
    raise DefinitionError(f"{gid}: its effect returned {no!r}: return a refusal, or None for a vote of yes")


async def _prepare(tx: PostgresTx, gid: str) -> None:
    if tx.told:
        raise untold(tx)
    if tx.actions:
        raise DefinitionError(
            f"{gid}: what is prepared is committed by another session: no `after_commit` in an effect"
        )
    ended = await told(tx.connection.execute(f"prepare transaction '{gid}'"), tx.connection)
    if ended != "PREPARE TRANSACTION":
        raise StorageError(f"{gid} was rolled back: a statement had failed, and its error was not passed on")
