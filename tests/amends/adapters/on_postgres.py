"""A database of its own on a real server, for each test and each version: fixtures to take over by name."""

from collections.abc import AsyncIterator

import pytest

from amends.adapters.postgres import PostgresStorage
from amends.schema import Migration
from tests.servers import PostgresServer, fresh_database

NOW = 2_000_000_000.0
VERSIONS = [15, 18]
THINGS = (Migration(1, "things", ("create table things (name text primary key, number bigint not null)",)),)

insert_thing = "insert into things (name, number) values (:name, :number)"
raise_thing = "update things set number = number + 1 where name = :name"
lock_things = "select name, number from keys join things on name = key"
all_things = "select name, number from things order by name"


@pytest.fixture(params=VERSIONS, ids=lambda version: f"postgres-{version}")
async def dsn(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    async with fresh_database(await postgres_server(request.param)) as made:
        yield made


@pytest.fixture
async def shelf(dsn: str) -> AsyncIterator[PostgresStorage]:
    """A storage with a table of things: a, b, c."""
    storage = PostgresStorage(dsn, THINGS)
    await storage.migrate()
    async with storage.transaction(NOW) as tx:
        await tx.run_many(insert_thing, [(name, number) for number, name in enumerate("abc", 1)])
    yield storage
    await storage.close()


async def things(storage: PostgresStorage) -> dict[str, int]:
    async with storage.reading() as reader:
        rows: list[tuple[str, int]] = await reader.fetch(all_things)
        return dict(rows)


async def waits(storage: PostgresStorage) -> bool:
    """Whether somebody waits for a lock."""
    async with storage.reading() as reader:
        sql = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        return bool(await reader.fetch(sql))
