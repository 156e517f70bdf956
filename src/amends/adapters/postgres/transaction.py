"""One write transaction: committed at the end of its block, rolled back when that raises.

begin ─▶ statements ─▶ commit ─▶ actions
             └─ error ─▶ rollback  └─ connection lost: `CommitUnknown`, no actions
"""

from types import TracebackType

from amends.adapters.postgres.connection import PostgresTx, Sets
from amends.adapters.postgres.failures import DRIVER, is_lost, known_as
from amends.adapters.postgres.pool import Connection, Connections
from amends.connections import untold
from amends.errors import CommitUnknown, StorageError, Unavailable


class Transaction:
    """`async with` for one transaction; `now` is Unix time in seconds."""

    __slots__ = ("_connections", "_now", "_sets", "_tx")

    def __init__(self, connections: Connections, sets: Sets, now: float) -> None:
        self._connections = connections
        self._sets = sets
        self._now = now
        self._tx: PostgresTx | None = None

    async def __aenter__(self) -> PostgresTx:
        self._tx = PostgresTx(await self._connections.begin("begin"), self._sets, self._now)
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tx = self._tx
        if tx is None:
            return
        if error is None and not tx.told:
            await self._commit(tx)
            return
        await self._connections.undo(tx.connection)
        if error is None:
            raise untold(tx)

    async def _commit(self, tx: PostgresTx) -> None:
        """The actions follow at once, so that what hops hand over leaves in the order of their commits."""
        try:
            await _committed(tx.connection)
        except BaseException:
            await self._connections.undo(tx.connection)
            raise
        try:
            for action in tx.actions:
                action()
        finally:
            await self._connections.give(tx.connection)


async def _committed(connection: Connection) -> None:
    """Raises `CommitUnknown` when the answer to the commit is lost."""
    try:
        ended = await connection.execute("commit")
    except DRIVER as error:
        known = known_as(error, is_lost(connection))
        if isinstance(known, Unavailable):
            raise CommitUnknown(f"the connection was lost during a commit ({error}): try the same again") from error
        if known is None:
            raise
        raise known from error
    if ended != "COMMIT":
        raise StorageError("rolled back instead of committed: a statement had failed, and its error was not passed on")
