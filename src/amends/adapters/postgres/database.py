"""Makes the database of a service, where whoever runs it has not done so."""

from contextlib import suppress
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
    try:
        connection = await asyncpg.connect(_maintenance(dsn), timeout=_PATIENCE_S, command_timeout=_PATIENCE_S)
    except DRIVER as error:
        parts = urlsplit(dsn)
        raise Unavailable(f"PostgreSQL at {parts.hostname}:{parts.port or 5432} can't be reached: {error}") from error
    try:
        with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):  # the same, a moment earlier
            await connection.execute(f"create database {_quoted(database_of(dsn))} {_ORDER}")
            return True
        return False
    finally:
        await connection.close()


def _maintenance(dsn: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path="/postgres"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
