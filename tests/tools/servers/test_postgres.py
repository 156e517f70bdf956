"""PostgreSQL of every version: killed, restarted, with its data."""

from pathlib import Path

import asyncpg
import pytest

from tests.servers import POSTGRES, PostgresServer, fresh_database, require
from tools.servers import Postgres, ServerFailed, TcpProxy, missing_for_postgres, running

EVERY_VERSION = pytest.mark.parametrize("version", POSTGRES)


async def setting(postgres: Postgres, name: str) -> str:
    [row] = await postgres.run("select current_setting($1) as value", name)
    value: str = row["value"]
    return value


async def test_version_that_is_not_there_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match="PostgreSQL 7 is not installed: apt-get install postgresql-7"):
        await Postgres(tmp_path, 7).start()


@pytest.mark.servers
@EVERY_VERSION
async def test_killed_postgres_keeps_its_data_and_its_port(tmp_path: Path, version: int) -> None:
    require(missing_for_postgres(version))
    postgres = Postgres(tmp_path / "postgres", version)
    async with running(postgres):
        dsn = await postgres.create_database("orders")
        await postgres.run("create table orders (id int)", database="orders")
        for id in (1, 2):
            await postgres.run("insert into orders values ($1)", id, database="orders")
            await postgres.kill()
            await postgres.start()

        kept = await postgres.run("select id from orders order by id", database="orders")
        assert [row["id"] for row in kept] == [1, 2]
        assert postgres.dsn("orders") == dsn


@pytest.mark.servers
@EVERY_VERSION
async def test_postgres_has_what_two_phase_commit_and_logical_decoding_need(
    postgres_server: PostgresServer, version: int
) -> None:
    postgres = await postgres_server(version)
    wanted = {"wal_level": "logical", "max_prepared_transactions": "100", "fsync": "on"}
    assert {name: await setting(postgres, name) for name in wanted} == wanted
    assert int(await setting(postgres, "server_version_num")) // 10_000 == version


@pytest.mark.servers
async def test_settings_count_from_the_next_start(tmp_path: Path) -> None:
    require(missing_for_postgres(16))
    postgres = Postgres(tmp_path / "postgres", 16, {"max_slot_wal_keep_size": "64MB"})
    async with running(postgres):
        assert await setting(postgres, "max_slot_wal_keep_size") == "64MB"

        postgres.settings["max_slot_wal_keep_size"] = "1GB"
        await postgres.restart()

        assert await setting(postgres, "max_slot_wal_keep_size") == "1GB"


@pytest.mark.servers
async def test_fresh_database_is_dropped_with_what_is_prepared_in_it(postgres_server: PostgresServer) -> None:
    postgres = await postgres_server(16)
    async with fresh_database(postgres) as dsn:
        connection = await asyncpg.connect(dsn)
        await connection.execute("begin; create table orders (id int); prepare transaction 'it''s prepared'")

    name = dsn.rpartition("/")[2]
    assert await postgres.run("select from pg_database where datname = $1", name) == []
    assert await postgres.run("select from pg_prepared_xacts") == []
    await connection.close()


@pytest.mark.servers
async def test_server_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    require(missing_for_postgres(16))
    postgres = Postgres(tmp_path / "postgres", 16, {"no_such_setting": "1"})

    with pytest.raises(ServerFailed, match=r"(?s)PostgreSQL 16 ended before it was ready.*no_such_setting"):
        await postgres.start()


@pytest.mark.servers
async def test_cut_proxy_breaks_a_client_and_a_healed_one_lets_it_back(postgres_server: PostgresServer) -> None:
    postgres = await postgres_server(16)
    proxy = TcpProxy(postgres.port)
    dsn = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
    async with running(proxy):
        connection = await asyncpg.connect(dsn)

        await proxy.cut()
        with pytest.raises((OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)):
            await connection.execute("select 1")
        with pytest.raises(ConnectionRefusedError):
            await asyncpg.connect(dsn)

        await proxy.heal()
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("select 1") == 1
        await connection.close()
