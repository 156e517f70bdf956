"""What PostgreSQL and its driver say, as the errors that the library knows.

a deadlock, a serialization failure, a plan that became invalid    TryTransactionAgain
a unique key that is there already                                 Conflict
no connection, a lost one, a server that shuts down, a long wait   Unavailable
anything else                                                      as it is: a statement or its values are wrong
"""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

import asyncpg

from amends.errors import Conflict, StorageError, TryTransactionAgain, Unavailable

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


async def told(work: Awaitable[T], connection: Closable) -> T:
    """The result of `work`. Raises what the library knows."""
    try:
        return await work
    except DRIVER as error:
        known = known_as(error, connection.is_closed())
        if known is None:
            raise
        raise known from error


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
