"""The rooms' own tests once more, each room on a PostgreSQL database instead of a SQLite file."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from amends import Migration, Participant
from amends.adapters.postgres import PostgresStorage
from amends.connections import Params
from amends.errors import Conflict
from tests.servers import PostgresServer, fresh_database
from tests.shop.conftest import AskedRoom, OpenRoom

VERSION = 15
drop_checks = """
select 'alter table ' || conrelid::regclass || ' drop constraint ' || conname from pg_constraint
where contype = 'c' and connamespace = 'public'::regnamespace
"""


class RoomOnPostgres(AskedRoom):
    """The same room on another database."""

    def __init__(self, participant: Participant, storage: Any) -> None:
        super().__init__(participant, storage)

    async def tamper(self, sql: str, params: Params = ()) -> None:
        """The checks of the tables are gone after it."""
        for (drop,) in await self.rows(drop_checks):
            await self.force(drop)
        await self.force(sql, params)

    async def forbids(self, sql: str, params: Params = ()) -> bool:
        try:
            await self.force(sql, params)
        except (asyncpg.IntegrityConstraintViolationError, Conflict):
            return True
        return False


@pytest.fixture
async def open_room(postgres_server: PostgresServer) -> AsyncIterator[OpenRoom]:
    opened: list[PostgresStorage] = []
    async with fresh_database(await postgres_server(VERSION)) as dsn:

        async def open_one(participant: Participant, migrations: Sequence[Migration]) -> AskedRoom:
            storage = PostgresStorage(dsn, migrations, name=participant.name)
            opened.append(storage)
            await storage.migrate()
            return RoomOnPostgres(participant, storage)

        yield open_one
        for storage in opened:
            await storage.close()
