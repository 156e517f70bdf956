"""A database of a simulated world: it outlives its clients, and what was not committed goes with them.

One transaction at a time, on a database of SQLite in memory. A client that crashes or freezes loses its transaction, as
a server takes it away from one whose connection is gone. By chance a commit is refused, takes place unheard, or does
not take place and nobody knows; or the database can't be reached at all.

The whole life of a database is one transaction of SQLite, a client's is a savepoint in it: rolled back at the end, it
is as new, for the next world.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import apsw

from amends.adapters.sqlite import schema
from amends.adapters.sqlite.storage import SqlitePages
from amends.connections import untold
from amends.errors import CommitUnknown, TryTransactionAgain, Unavailable
from amends.ports import Storage
from amends.schema import Migration
from amends.testing.chances import Chances
from amends.testing.loop import PROCESS
from amends.testing.processes import Process
from amends.testing.turns import Held, HeldReader, HeldTx

_kept: dict[tuple[str, tuple[Migration, ...]], list[apsw.Connection]] = {}

Told = Callable[[str, str], None]
_SLOW_S = 1.0


class Database(Protocol):
    """Of a world, whatever it is kept on."""

    @property
    def name(self) -> str: ...

    @property
    def connection(self) -> apsw.Connection:
        """To look at it from outside."""

    def storage(self) -> Storage:
        """A client's way to it."""

    def lose(self, process: Process) -> None:
        """A client is gone, or nothing is heard of it."""

    def close(self) -> None:
        """Back as it was made."""


class SimulatedDatabase:
    """`told` hears what happened to transactions: a short word, and the name of the database."""

    def __init__(
        self,
        name: str,
        migrations: Sequence[Migration],
        chances: Chances,
        told: Told,
        point: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.point = point
        self.chances = chances
        self.told = told
        self._key = (name, tuple(migrations))
        free = _kept.setdefault(self._key, [])
        self.connection = free.pop() if free else _new(name, migrations)
        self.connection.execute("begin")
        self._holder: Held | None = None
        self._waiting: deque[tuple[Held, asyncio.Future[None]]] = deque()

    def storage(self) -> "SimulatedStorage":
        return SimulatedStorage(self)

    async def enter(self) -> Held:
        """Waits for its turn. Raises `Unavailable`."""
        if self.chances.fires("database away"):
            raise Unavailable(f"database {self.name} can't be reached")
        process, task = PROCESS.get(), asyncio.current_task()
        assert self._holder is None or self._holder.task is not task, f"{self.name} is asked within its transaction"
        held = Held(process, task)
        if self._holder is None:
            self._holder = held
        else:
            await self._wait(held)
        return held

    def takes_s(self) -> float:
        """How long a commit takes; others wait meanwhile."""
        slow = self.chances.fires("commit slow")
        return self.chances.of("commit slow").random() * _SLOW_S if slow else 0.0

    def leave(self, held: Held) -> None:
        if self._holder is held:
            self._pass_on()

    def begin(self) -> None:
        self.connection.execute("savepoint hop")

    def keep(self) -> None:
        self.connection.execute("release hop")

    def undo(self) -> None:
        self.connection.execute("rollback to hop")
        self.connection.execute("release hop")

    def lose(self, process: Process) -> None:
        """A client is gone, or nothing is heard of it: its transaction goes, and whoever waits in it."""
        for held, turn in list(self._waiting):
            if held.process is process:
                self._waiting.remove((held, turn))
                held.gone = True
                if not turn.done():
                    turn.set_exception(Unavailable(f"{self.name}: the connection was lost"))
        holder = self._holder
        if holder is not None and holder.process is process:
            holder.gone = True
            if holder.writes:
                self.undo()
            self._pass_on()

    def close(self) -> None:
        """Back as it was made."""
        self.connection.execute("rollback")
        _kept[self._key].append(self.connection)

    async def _wait(self, held: Held) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((held, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if (held, turn) in self._waiting:
                self._waiting.remove((held, turn))
            elif self._holder is held:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        self._holder = None
        while self._waiting and self._holder is None:
            held, turn = self._waiting.popleft()
            if not turn.done():
                self._holder = held
                turn.set_result(None)


class SimulatedStorage(SqlitePages):
    """A `Storage`: one client's way to a database."""

    def __init__(self, database: SimulatedDatabase) -> None:
        super().__init__(database.name)
        self._database = database

    async def migrate(self) -> list[str]:
        return []

    def transaction(self, now: float) -> "_Transaction":
        return _Transaction(self._database, now)

    def reading(self) -> "_Reading":
        return _Reading(self._database)

    async def close(self) -> None: ...


class _Reading:
    """`async with` for one snapshot."""

    __slots__ = ("_database", "_held")

    def __init__(self, database: SimulatedDatabase) -> None:
        self._database = database

    async def __aenter__(self) -> HeldReader:
        self._held = await self._database.enter()
        return HeldReader(self._database.connection, self._held)

    async def __aexit__(self, *_: object) -> None:
        self._database.leave(self._held)


class _Transaction:
    """`async with` for one transaction, and all that may happen to its commit."""

    __slots__ = ("_database", "_now", "_tx")

    def __init__(self, database: SimulatedDatabase, now: float) -> None:
        self._database = database
        self._now = now

    async def __aenter__(self) -> HeldTx:
        held = await self._database.enter()
        self._database.begin()
        held.writes = True
        self._tx = HeldTx(self._database.connection, self._now, held)
        return self._tx

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tx = self._tx
        if error is None and not tx.told:
            await self._commit(tx)
            return
        self._undo(tx)
        if error is None:
            raise untold(tx)

    async def _commit(self, tx: HeldTx) -> None:
        """Before and after it, others get their turn: a process may end on either side."""
        database = self._database
        try:
            await asyncio.sleep(database.takes_s())
            tx.held.check()
            if tx.wrote:
                database.point("before a commit")
        except BaseException:
            self._undo(tx)
            raise
        if (error := self._refused(database.chances)) is not None:
            database.told("commit refused", database.name)
            self._undo(tx)
            raise error
        if database.chances.fires("commit lost before"):
            database.told("commit lost", database.name)
            self._undo(tx)
            raise CommitUnknown(f"{database.name}: the connection was lost during the commit")
        database.keep()
        tx.held.writes = False
        if tx.wrote:
            database.told("committed", database.name)
        await self._committed(tx)

    async def _committed(self, tx: HeldTx) -> None:
        database = self._database
        try:
            if tx.wrote:
                database.point("after a commit")
            await asyncio.sleep(0)
            if tx.held.gone or database.chances.fires("commit lost after"):
                database.told("commit unheard", database.name)
                raise CommitUnknown(f"{database.name}: the connection was lost during the commit")
            for action in tx.actions:
                action()
        finally:
            database.leave(tx.held)

    def _undo(self, tx: HeldTx) -> None:
        if not tx.held.gone:
            self._database.undo()
            self._database.leave(tx.held)

    def _refused(self, chances: Chances) -> Exception | None:
        if chances.fires("deadlock"):
            return TryTransactionAgain("given up for another transaction's sake")
        if not chances.fires("commit refused"):
            return None
        errors: list[Exception] = [
            TryTransactionAgain("given up for another transaction's sake"),
            apsw.FullError("the disk is full"),
            Unavailable("the connection was lost"),
        ]
        return errors[int(chances.of("commit refused").random() * len(errors))]


def _new(name: str, migrations: Sequence[Migration]) -> apsw.Connection:
    connection = apsw.Connection(":memory:", statementcachesize=500)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute("pragma foreign_keys = on")
    schema.migrate(connection, name, migrations)
    return connection
