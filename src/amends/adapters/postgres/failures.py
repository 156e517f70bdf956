"""What PostgreSQL and its driver say, as the errors that the library knows.

a deadlock, a serialization failure, a plan that became invalid    TryTransactionAgain
a unique key that is there already                                 Conflict
no connection, a lost one, a server that shuts down, a long wait   Unavailable
anything else                                                      as it is: a statement or its values are wrong
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ParamSpec, Protocol, TypeVar

import asyncpg

from amends.errors import Conflict, StorageError, TryTransactionAgain, Unavailable

P = ParamSpec("P")
T = TypeVar("T")

DRIVER = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
)
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Closable(Protocol):
    def is_closed(self) -> bool: ...

    def terminate(self) -> None: ...


async def asked(connection: Closable, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a call of the connection. Raises what the library knows.

    The call is made in here, since one of a connection that has been lost may fail before it is awaited.
    """
    try:
        return await call(*args, **kwargs)
    except DRIVER as error:
        known = known_as(error, is_lost(connection))
        if known is None:
            raise
        raise known from error


async def told(work: Awaitable[T], connection: Closable) -> T:
    """The same for a call that has been made already."""

    async def made() -> T:
        return await work

    return await asked(connection, made)


def is_lost(connection: Closable) -> bool:
    """A pool takes a connection that broke from whoever has it."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


def end(connection: Closable) -> None:
    """Closes it underneath whatever runs on it."""
    with suppress(asyncpg.InterfaceError):  # the pool has done so already
        connection.terminate()


def known_as(error: Exception, lost: bool) -> Conflict | StorageError | None:
    """`lost`: the connection has been closed underneath."""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Conflict(f"{error.table_name}: a row with the same {error.constraint_name} is there already")
    if isinstance(error, _AGAIN):
        return TryTransactionAgain(_named(error))
    return away(error) if lost or isinstance(error, _AWAY) else None


def away(error: Exception) -> Unavailable:
    return Unavailable(f"the database can't be reached, or does not answer: {_named(error)}")


def _named(error: Exception) -> str:
    """The first line: details may hold what users wrote."""
    return f"{type(error).__name__}: {error}".splitlines()[0]
