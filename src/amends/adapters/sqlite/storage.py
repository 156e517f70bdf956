"""A service's own SQLite file: one writer at a time, readers beside it on snapshots."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType

import apsw

from amends.adapters.sqlite import schema
from amends.adapters.sqlite.checkpoint import Checkpoints
from amends.adapters.sqlite.connection import SqliteReader, SqliteTx, connect
from amends.adapters.sqlite.group import Group
from amends.adapters.sqlite.idempotency_keys import SqliteKeys
from amends.adapters.sqlite.inbox import SqliteInbox
from amends.adapters.sqlite.leases import SqliteLeases
from amends.adapters.sqlite.mends import SqliteMends
from amends.adapters.sqlite.outbox import SqliteOutbox
from amends.adapters.sqlite.parked import SqliteParking
from amends.adapters.sqlite.sagas import SqliteSagas
from amends.connections import Tx, untold
from amends.pages import Inbox, Keys, Leases, Mends, Outbox, Parking, Sagas
from amends.schema import Migration


class SqlitePages:
    """The pages of one database, named after its service."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sagas: Sagas = SqliteSagas()
        self.outbox: Outbox = SqliteOutbox()
        self.inbox: Inbox = SqliteInbox()
        self.leases: Leases = SqliteLeases()
        self.parking: Parking = SqliteParking()
        self.keys: Keys = SqliteKeys()
        self.mends: Mends = SqliteMends()


class SqliteStorage(SqlitePages):
    """A `Storage`. Durable: WAL with `synchronous=FULL`, every transaction `BEGIN IMMEDIATE`, commits in groups."""

    def __init__(self, path: Path, migrations: Sequence[Migration] = (), vfs: str | None = None) -> None:
        super().__init__(path.stem)
        self.path = path
        self._migrations = migrations
        self._vfs = vfs
        self._connection: apsw.Connection | None = None
        self._readers: list[apsw.Connection] = []
        self.checkpoints = Checkpoints(path, vfs)
        self._group = Group(self.writer, self._committed, self.distrust)

    async def migrate(self) -> list[str]:
        try:
            return schema.migrate(self.writer(), self.name, self._migrations)
        except (apsw.IOError, apsw.FullError):
            self.distrust()
            raise

    def transaction(self, now: float) -> "_Transaction":
        return _Transaction(self._group, now)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqliteReader]:
        connection = self._readers.pop() if self._readers else connect(self.path, readonly=True, vfs=self._vfs)
        connection.execute("begin")
        try:
            yield SqliteReader(connection)
        finally:
            self._take_back(connection)

    async def close(self) -> None:
        await self._group.settle()
        await self.checkpoints.settle()
        self.abandon()

    def abandon(self) -> None:
        """Closes its connections at once, whatever is under way."""
        for connection in [*self._readers, self._connection]:
            if connection is not None:
                with suppress(apsw.IOError, apsw.FullError):  # its last checkpoint: the log holds what was committed
                    connection.close()
        self._readers, self._connection = [], None

    def writer(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = connect(self.path, vfs=self._vfs)
            self.checkpoints.watch(self._connection)
        return self._connection

    def distrust(self) -> None:
        """After a failed fsync nobody knows what the file holds: the connection is opened anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(apsw.Error):  # closing may meet the same failure; what counts is that nobody uses it again
                connection.close(True)

    def _committed(self) -> None:
        """A checkpoint that fails takes nothing back: the log holds what was committed; the next one tries again."""
        try:
            self.checkpoints.after_commit(self.writer())
        except apsw.BusyError:  # the one beside the event loop is at it
            pass
        except (apsw.IOError, apsw.FullError):
            self.distrust()

    def _take_back(self, reader: apsw.Connection) -> None:
        """A reader whose snapshot the database has given up, because the disk failed it, is not used again."""
        if reader.in_transaction:
            reader.execute("rollback")
            self._readers.append(reader)
        else:
            reader.close()


class _Transaction:
    """`async with` for one transaction: durable at the end of the block, rolled back when it raises."""

    __slots__ = ("_group", "_now", "_tx")

    def __init__(self, group: Group, now: float) -> None:
        self._group = group
        self._now = now
        self._tx: SqliteTx | None = None

    async def __aenter__(self) -> Tx:
        self._tx = SqliteTx(await self._group.enter(), self._now)
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._tx is not None and not self._tx.told:
            await self._group.keep(self._tx.actions)
            return
        self._group.drop()
        if error is None and self._tx is not None:
            raise untold(self._tx)
