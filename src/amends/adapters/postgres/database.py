"""Makes the database of a service, where whoever runs it has not done so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from amends.adapters.postgres.failures import DRIVER
from amends.adapters.postgres.storage import database_of
from amends.errors import Unavailable

_ORDER = "encoding 'UTF8' locale 'C' template template0"
_PATIENCE_S = 30.0


async def ensure_database(dsn: str) -> bool:
    """Creates the database that `dsn` names, sorting text by code points; False when it is there already.

    Connects to the database `postgres` of the same server, as a role that may create databases. Raises `Unavailable`.
    """
    async with _server(dsn) as connection:
        with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):  # the same, a moment earlier
            await connection.execute(f"create database {_quoted(database_of(dsn))} {_ORDER}")
            return True
        return False


async def drop_database(dsn: str) -> None:
    """Drops the database that `dsn` names, if it is there, whoever is connected to it. Raises `Unavailable`.

    What is prepared in it is rolled back first: nothing else would ever end it.
    """
    async with _server(dsn) as connection:
        left = await connection.fetch("select gid from pg_prepared_xacts where database = $1", database_of(dsn))
    if left:
        await _roll_back(dsn, [gid for (gid,) in left])
    async with _server(dsn) as connection:
        await connection.execute(f"drop database if exists {_quoted(database_of(dsn))} with (force)")


async def _roll_back(dsn: str, gids: list[str]) -> None:
    """Only from within the database can its prepared transactions be ended."""
    connection = await asyncpg.connect(dsn, timeout=_PATIENCE_S, command_timeout=_PATIENCE_S)
    try:
        for gid in gids:
            await connection.execute(f"rollback prepared '{gid.replace(chr(39), 2 * chr(39))}'")
    finally:
        await connection.close()


@asynccontextmanager
async def _server(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection to the database `postgres` of the server. Raises `Unavailable`."""
    try:
        connection = await asyncpg.connect(_maintenance(dsn), timeout=_PATIENCE_S, command_timeout=_PATIENCE_S)
    except DRIVER as error:
        parts = urlsplit(dsn)
        raise Unavailable(f"PostgreSQL at {parts.hostname}:{parts.port or 5432} can't be reached: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


def _maintenance(dsn: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path="/postgres"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
