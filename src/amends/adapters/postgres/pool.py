"""The connections of one storage: made when they are needed, replaced when they break, given back clean."""

import asyncio
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import asyncpg
from asyncpg.connect_utils import SessionAttribute
from asyncpg.pool import PoolConnectionProxy

from amends.adapters.postgres.failures import DRIVER, asked, away, end

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

# Why each: docs/decisions/19.
SETTINGS = {
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",
    "seq_page_cost": "100",
    "jit": "off",
    "lock_timeout": "15s",
    "idle_in_transaction_session_timeout": "10s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_STATEMENTS = 1000
_UNDO_S = 5.0


class PoolOptions(NamedTuple):
    """`connections`: how many at most; `patience_s`: how long to wait for one, or for an answer."""

    connections: int = 6
    patience_s: float = 60.0
    close_s: float = 10.0


class Connections:
    """A pool that connects with the first transaction, and again after it was closed."""

    def __init__(self, dsn: str, name: str, options: PoolOptions) -> None:
        self._dsn = dsn
        self._name = name
        self._options = options
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def begin(self, how: str) -> Connection:
        """A connection on which `how` has begun a transaction. Raises `Unavailable`."""
        connection = await self._take()
        try:
            await asked(connection, connection.execute, how)
        except BaseException:
            await self.undo(connection)
            raise
        return connection

    async def undo(self, connection: Connection) -> None:
        """Rolls back and gives the connection back; where that fails it is closed, which comes to the same."""
        try:
            async with asyncio.timeout(_UNDO_S):
                await connection.execute("rollback")
        except DRIVER:
            end(connection)
        except BaseException:
            end(connection)
            raise
        finally:
            await self.give(connection)

    async def give(self, connection: Connection) -> None:
        """Takes a connection back that is in no transaction any more."""
        if self._pool is not None:
            with suppress(*DRIVER):  # one that can't be cleaned has been closed by the pool
                await self._pool.release(connection, timeout=_UNDO_S)

    async def close(self) -> None:
        """Waits a while for transactions at work, then closes their connections underneath them.

        Until then the pool takes them back, and gives none.
        """
        pool = self._pool
        if pool is not None:
            try:
                async with asyncio.timeout(self._options.close_s):
                    await pool.close()
            except DRIVER:
                pool.terminate()
            finally:
                self._pool = None if self._pool is pool else self._pool

    async def _take(self) -> Connection:
        try:
            pool = await self._opened()
            return await pool.acquire(timeout=self._options.patience_s)
        except DRIVER as error:
            raise away(error) from error

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                self._dsn,
                min_size=0,
                max_size=self._options.connections,
                max_queries=1_000_000_000,
                command_timeout=self._options.patience_s,
                statement_cache_size=_STATEMENTS,
                max_cached_statement_lifetime=0,
                init=_prepare,
                reset=_keep,
                server_settings=SETTINGS | {"application_name": f"amends {self._name}"},
                target_session_attrs=SessionAttribute.read_write,
            )
        return await self._pool


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The sum of integers is an integer, as in SQLite."""
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")


async def _keep(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Whoever gives a connection back has ended its transaction; with nothing to reset there is no round trip."""


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
