"""A service's own PostgreSQL database: many writers beside each other, readers on snapshots."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import unquote, urlsplit

from amends.adapters.postgres import schema
from amends.adapters.postgres.connection import PostgresReader, Sets
from amends.adapters.postgres.idempotency_keys import PostgresKeys
from amends.adapters.postgres.inbox import PostgresInbox
from amends.adapters.postgres.leases import PostgresLeases
from amends.adapters.postgres.mends import PostgresMends
from amends.adapters.postgres.outbox import PostgresOutbox
from amends.adapters.postgres.outbox_events import EventOutbox
from amends.adapters.postgres.parked import PostgresParking
from amends.adapters.postgres.pool import Connections, PoolOptions
from amends.adapters.postgres.sagas import PostgresSagas
from amends.adapters.postgres.transaction import Transaction
from amends.pages import Inbox, Keys, Leases, Mends, Outbox, Parking, Sagas
from amends.schema import Migration

SNAPSHOT = "begin isolation level repeatable read, read only"


class PostgresStorage:
    """A `Storage`. Durable: `synchronous_commit=on`; transactions are READ COMMITTED with guarded writes.

    `dsn` is `postgresql://user:password@host:port/database`; the database has to sort text by code points
    (`ensure_database` makes such a one). `name` is the service's, the database's unless given. `outbox`: whether the
    service itself sends what is in its outbox (`relay`), or a change data capture reads it (`events`).

        storage = PostgresStorage("postgresql://shop@db/orders", MIGRATIONS)
        await storage.migrate()
    """

    def __init__(
        self,
        dsn: str,
        migrations: Sequence[Migration] = (),
        *,
        name: str = "",
        outbox: Literal["relay", "events"] = "relay",
        options: PoolOptions = PoolOptions(),  # noqa: B008 - a value, never changed
    ) -> None:
        self.name = name or database_of(dsn)
        self.sagas: Sagas = PostgresSagas()
        self.events = EventOutbox()
        self.outbox: Outbox = self.events if outbox == "events" else PostgresOutbox()
        self.inbox: Inbox = PostgresInbox()
        self.leases: Leases = PostgresLeases()
        self.parking: Parking = PostgresParking()
        self.keys: Keys = PostgresKeys()
        self.mends: Mends = PostgresMends()
        self._migrations = migrations
        self._connections = Connections(dsn, self.name, options)
        self._sets = Sets()

    def transaction(self, now: float) -> Transaction:
        """Raises `Unavailable`, `TryTransactionAgain` and, from its end, `CommitUnknown`."""
        return Transaction(self._connections, self._sets, now)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[PostgresReader]:
        connection = await self._connections.begin(SNAPSHOT)
        try:
            yield PostgresReader(connection)
        finally:
            await self._connections.undo(connection)

    async def migrate(self) -> list[str]:
        return await schema.migrate(self._connections, self.name, self._migrations)

    async def migrate_beside(self, track: str, migrations: Sequence[Migration]) -> list[str]:
        """Brings tables that only some deployments have, numbered by themselves, to their newest version."""
        return await schema.migrate(self._connections, self.name, migrations, track)

    async def close(self) -> None:
        await self._connections.close()


def database_of(dsn: str) -> str:
    """
    >>> database_of("postgresql://ann@db:5432/orders?sslmode=require")
    'orders'
    """
    return unquote(urlsplit(dsn).path.lstrip("/"))
