"""The connections of a storage: shared, waited for, replaced, given back; and the databases that they lead to."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from amends.adapters.postgres import PoolOptions, PostgresStorage, ensure_database
from amends.errors import StorageError, Unavailable
from tests.amends.adapters import on_postgres
from tests.amends.adapters.on_postgres import NOW, THINGS, insert_thing, raise_thing, things

pytestmark = pytest.mark.servers

dsn, shelf = on_postgres.dsn, on_postgres.shelf
spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"] = asyncio.ensure_future


@pytest.fixture
async def narrow(dsn: str) -> PostgresStorage:
    """One connection, and little patience."""
    return PostgresStorage(dsn, THINGS, options=PoolOptions(connections=1, patience_s=0.2, close_s=0.2))


async def test_who_finds_every_connection_at_work_waits_for_one(narrow: PostgresStorage) -> None:
    await narrow.migrate()

    async def put(name: str) -> None:
        async with narrow.transaction(NOW) as tx:
            await tx.run(insert_thing, (name, 1))

    await asyncio.gather(*[put(name) for name in "abcdefgh"])
    assert len(await things(narrow)) == 8
    await narrow.close()


async def test_who_waits_too_long_for_a_connection_is_told(narrow: PostgresStorage) -> None:
    await narrow.migrate()
    async with narrow.transaction(NOW):
        with pytest.raises(Unavailable, match="TimeoutError"):
            await things(narrow)
    assert await things(narrow) == {}
    await narrow.close()


async def test_statement_that_takes_too_long_is_given_up(narrow: PostgresStorage) -> None:
    await narrow.migrate()
    for _ in range(3):
        with pytest.raises(Unavailable):
            async with narrow.transaction(NOW) as tx:
                await tx.fetch("select pg_sleep(100)")
    assert await things(narrow) == {}
    await narrow.close()


async def test_close_waits_for_a_transaction_at_work_and_no_longer(dsn: str) -> None:
    """One that had ended kept a service that stops waiting until its patience was over."""
    storage = PostgresStorage(dsn, THINGS, options=PoolOptions(close_s=3600.0))
    await storage.migrate()
    async with storage.transaction(NOW) as tx:
        closing = spawn(storage.close())
        await asyncio.sleep(0.05)
        await tx.run(insert_thing, ("a", 1))
        with pytest.raises(Unavailable):
            await things(storage)
    async with asyncio.timeout(30):
        await closing
    assert await things(storage) == {"a": 1}, "a closed storage opens again"
    await storage.close()


async def test_close_waits_for_nobody_for_long(narrow: PostgresStorage) -> None:
    await narrow.migrate()

    async def hang() -> None:
        async with narrow.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
            begun.set()
            await asyncio.Event().wait()

    begun = asyncio.Event()
    hanging = spawn(hang())
    await begun.wait()
    await narrow.close()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    assert await things(narrow) == {}, "a closed storage opens again"
    await narrow.close()


async def test_cancelled_statement_gives_its_connection_back(narrow: PostgresStorage) -> None:
    await narrow.migrate()

    async def wait_long() -> None:
        async with narrow.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
            begun.set()
            await tx.fetch("select pg_sleep(0.1)")
            raise AssertionError("not cancelled")

    for _ in range(5):
        begun = asyncio.Event()
        waiting = spawn(wait_long())
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await things(narrow) == {}
    await narrow.close()


async def test_session_that_the_server_ends_is_replaced(shelf: PostgresStorage) -> None:
    async def be_ended() -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run(raise_thing, ("a",))
            [(pid,)] = await tx.fetch("select pg_backend_pid()")
            async with shelf.reading() as reader:
                await reader.fetch("select pg_terminate_backend(:pid)", (pid,))
            await tx.run(raise_thing, ("b",))

    with pytest.raises(Unavailable):
        await be_ended()
    assert await things(shelf) == {"a": 1, "b": 2, "c": 3}


async def test_process_that_stands_still_within_a_transaction_loses_its_locks(shelf: PostgresStorage) -> None:
    """Frozen, or on a machine that sleeps: others must not wait for it for ever."""

    async def is_there(pid: int) -> bool:
        async with shelf.reading() as reader:  # anew: within a transaction the view stands still
            return bool(await reader.fetch("select 1 from pg_stat_activity where pid = :pid", (pid,)))

    async def stand_still() -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run(raise_thing, ("a",))
            [(pid,)] = await tx.fetch("select pg_backend_pid()")
            await tx.run("set local idle_in_transaction_session_timeout = '10ms'")
            while await is_there(pid):
                pass
            async with shelf.transaction(NOW) as other:
                await other.run(raise_thing, ("a",))
            await tx.run(raise_thing, ("b",))

    with pytest.raises(Unavailable):
        await stand_still()
    assert await things(shelf) == {"a": 2, "b": 2, "c": 3}


async def test_lock_that_is_held_for_too_long_is_waited_for_no_more(shelf: PostgresStorage) -> None:
    async def wait_briefly() -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run("set local lock_timeout = '10ms'")
            await tx.run(raise_thing, ("a",))

    async with shelf.transaction(NOW) as tx:
        await tx.run(raise_thing, ("a",))
        with pytest.raises(Unavailable, match="LockNotAvailable"):
            await wait_briefly()


async def test_processes_that_migrate_at_once_do_not_collide(dsn: str) -> None:
    storages = [PostgresStorage(dsn, THINGS) for _ in range(6)]
    applied = await asyncio.gather(*[each.migrate() for each in storages])
    assert sorted(map(len, applied)) == [0, 0, 0, 0, 0, max(map(len, applied))]
    for each in storages:
        await each.close()


async def test_database_is_made_when_it_is_missing(dsn: str) -> None:
    other = f"{dsn}_ö"
    made = await asyncio.gather(*[ensure_database(other) for _ in range(3)])
    assert sorted(made) == [False, False, True]
    storage = PostgresStorage(other)
    assert len(await storage.migrate()) > 0
    await storage.close()
    connection = await asyncpg.connect(dsn)
    await connection.execute(f'drop database "{storage.name}"')
    await connection.close()


async def test_missing_database_is_named(dsn: str) -> None:
    storage = PostgresStorage(f"{dsn}_missing")
    with pytest.raises(Unavailable, match='_missing" does not exist'):
        await storage.migrate()
    await storage.close()


async def test_database_that_sorts_by_a_language_is_refused(dsn: str) -> None:
    name = PostgresStorage(dsn).name + "_de"
    connection = await asyncpg.connect(dsn)
    language = "locale_provider icu icu_locale 'de' encoding 'UTF8' locale 'C'"
    try:
        await connection.execute(f'create database "{name}" template template0 {language}')
    except asyncpg.FeatureNotSupportedError:
        pytest.skip("this server was built without ICU")
    storage = PostgresStorage(f"{dsn}_de")
    with pytest.raises(StorageError, match="language's rules"):
        await storage.migrate()
    await storage.close()
    await connection.execute(f'drop database "{name}"')
    await connection.close()
