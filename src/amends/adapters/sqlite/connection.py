"""One SQLite connection, and a transaction on it. Called directly in the event loop: a thread hop costs more."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import apsw
import msgspec

from amends.adapters.sqlite.log import save_log
from amends.connections import Params, Row, Told
from amends.messages import Event

_json = msgspec.json.Encoder().encode
_EACH = "with keys(key) as (select value from json_each(?1)) "
_PRAGMAS = (
    "pragma journal_mode = wal",
    "pragma synchronous = full",
    "pragma foreign_keys = on",
    "pragma temp_store = memory",
    "pragma cache_size = -4000",
)


def connect(path: Path, *, busy_ms: int = 2000, readonly: bool = False, vfs: str | None = None) -> apsw.Connection:
    """Plans don't depend on values: with a partial index SQLite would prepare a statement anew for each of them."""
    flags = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
    connection.set_busy_timeout(busy_ms)
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    try:
        save_log(connection, vfs)
        for pragma in _PRAGMAS[2:] if readonly else _PRAGMAS:
            connection.execute(pragma).fetchall()
    except apsw.Error:
        connection.close(True)
        raise
    return connection


class SqliteReader:
    """A `Reader`."""

    __slots__ = ("_connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        return cast(list[Row], self._connection.execute(sql, params).fetchall())

    async def fetch_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        return cast(list[Row], self._connection.execute(_EACH + sql, (_json(keys).decode(),)).fetchall())


class SqliteTx(SqliteReader):
    """A `Tx`."""

    __slots__ = ("actions", "now", "told")

    def __init__(self, connection: apsw.Connection, now: float) -> None:
        super().__init__(connection)
        self.now = now
        self.actions: list[Callable[[], None]] = []
        self.told: list[Told] = []

    def tell(self, event: Event, key: str) -> None:
        self.told.append(Told(event, key))

    async def run(self, sql: str, params: Params = ()) -> int:
        before = self._connection.total_changes()
        self._connection.execute(sql, params)
        return self._connection.total_changes() - before

    async def run_many(self, sql: str, rows: Sequence[Params]) -> int:
        before = self._connection.total_changes()
        self._connection.executemany(sql, rows)
        return self._connection.total_changes() - before

    async def lock_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        """There is one writer: whoever is in a transaction holds everything."""
        return await self.fetch_each(sql, keys)

    def after_commit(self, action: Callable[[], None]) -> None:
        self.actions.append(action)
