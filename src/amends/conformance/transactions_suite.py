"""Transactions, readers, statements, migrations."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from amends.conformance.fixtures import NOW, OpenStorage
from amends.connections import Reader
from amends.errors import DefinitionError, WrongSchema
from amends.messages import Event
from amends.ports import Storage
from amends.schema import Migration

TABLE = Migration(1, "things", ("create table things (name text primary key, number bigint not null)",))
COLUMN = Migration(2, "colour", ("alter table things add column colour text not null default 'red'",))


class Happened(Event):
    topic = "shelf.events"


insert_thing = "insert into things (name, number) values (:name, :number)"
count_things = "select count(*) from things"
all_things = "select name, number from things order by name"


async def things(reader: Reader) -> list[tuple[str, int]]:
    return [(name, number) for name, number in await reader.fetch(all_things)]


class TestTransactions:
    @pytest.fixture
    async def shelf(self, open_storage: OpenStorage) -> AsyncIterator[Storage]:
        opened = await open_storage([TABLE])
        await opened.migrate()
        yield opened
        await opened.close()

    async def test_commit_at_the_end_of_the_block(self, shelf: Storage) -> None:
        async with shelf.transaction(NOW) as tx:
            assert tx.now == NOW
            await tx.run(insert_thing, ("a", 1))
        async with shelf.reading() as reader:
            assert await things(reader) == [("a", 1)]

    async def test_exception_rolls_back_and_passes(self, shelf: Storage) -> None:
        async def fail() -> None:
            async with shelf.transaction(NOW) as tx:
                await tx.run(insert_thing, ("a", 1))
                raise LookupError("boom")

        with pytest.raises(LookupError, match="boom"):
            await fail()
        async with shelf.transaction(NOW) as tx:
            assert await things(tx) == []

    async def test_cancelled_block_rolls_back_and_lets_others_in(self, shelf: Storage) -> None:
        async def hang() -> None:
            async with shelf.transaction(NOW) as tx:
                await tx.run(insert_thing, ("a", 1))
                await asyncio.Event().wait()

        hanging = asyncio.get_running_loop().create_task(hang())
        for _ in range(100):
            await asyncio.sleep(0)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        async with shelf.transaction(NOW) as tx:
            assert await things(tx) == []

    async def test_actions_run_after_the_commit_in_order(self, shelf: Storage) -> None:
        done: list[str] = []
        async with shelf.transaction(NOW) as tx:
            tx.after_commit(lambda: done.append("first"))
            await tx.run(insert_thing, ("a", 1))
            tx.after_commit(lambda: done.append("second"))
            assert done == []
        assert done == ["first", "second"]

    async def test_actions_of_a_rolled_back_transaction_never_run(self, shelf: Storage) -> None:
        done: list[str] = []

        async def fail() -> None:
            async with shelf.transaction(NOW) as tx:
                tx.after_commit(lambda: done.append("never"))
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        async with shelf.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
        assert done == []

    async def test_transaction_whose_events_would_be_lost_fails(self, shelf: Storage) -> None:
        async def tell() -> None:
            async with shelf.transaction(NOW) as tx:
                await tx.run(insert_thing, ("a", 1))
                tx.tell(Happened(), "a")

        with pytest.raises(DefinitionError, match="Happened would be lost"):
            await tell()
        async with shelf.transaction(NOW) as tx:
            assert await things(tx) == []

    async def test_reader_sees_no_uncommitted_write(self, shelf: Storage) -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
            async with shelf.reading() as reader:
                assert await things(reader) == []
        async with shelf.reading() as reader:
            assert await things(reader) == [("a", 1)]

    async def test_reader_keeps_its_snapshot(self, shelf: Storage) -> None:
        async with shelf.reading() as reader:
            assert await things(reader) == []
            async with shelf.transaction(NOW) as tx:
                await tx.run(insert_thing, ("a", 1))
            assert await things(reader) == []

    async def test_transaction_sees_its_own_writes(self, shelf: Storage) -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
            assert await things(tx) == [("a", 1)]

    async def test_guarded_updates_beside_each_other_lose_nothing(self, shelf: Storage) -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run(insert_thing, ("stock", 10))
        wins: list[int] = []

        async def buy() -> None:
            async with shelf.transaction(NOW) as tx:
                await asyncio.sleep(0)
                take = "update things set number = number - 1 where name = :name and number > 0"
                wins.append(await tx.run(take, ("stock",)))

        await asyncio.gather(*[buy() for _ in range(25)])
        async with shelf.reading() as reader:
            assert await things(reader) == [("stock", 0)]
        assert sum(wins) == 10


class TestStatements:
    @pytest.fixture
    async def shelf(self, open_storage: OpenStorage) -> AsyncIterator[Storage]:
        opened = await open_storage([TABLE])
        await opened.migrate()
        async with opened.transaction(NOW) as tx:
            await tx.run_many(insert_thing, [(name, number) for number, name in enumerate("abcde")])
        yield opened
        await opened.close()

    async def test_run_counts_the_rows_that_changed(self, shelf: Storage) -> None:
        async with shelf.transaction(NOW) as tx:
            assert await tx.run("update things set number = 0 where number > :least", {"least": 2}) == 2
            assert await tx.run("update things set number = 0 where number > :least", {"least": 99}) == 0
            assert await tx.run("delete from things") == 5

    async def test_run_many_counts_the_rows_of_all(self, shelf: Storage) -> None:
        raise_one = "update things set number = number + 1 where name = :name"
        async with shelf.transaction(NOW) as tx:
            assert await tx.run_many(raise_one, [("a",), ("z",), {"name": "b"}]) == 2
            assert await tx.run_many(raise_one, []) == 0

    async def test_parameters_come_by_name_or_in_the_order_of_their_first_use(self, shelf: Storage) -> None:
        sql = "select name from things where number >= :low and number <= :high and :low <= :high order by name"
        async with shelf.reading() as reader:
            assert await reader.fetch(sql, {"high": 2, "low": 1}) == [("b",), ("c",)]
            assert await reader.fetch(sql, (1, 2)) == [("b",), ("c",)]

    async def test_fetch_each_joins_its_keys(self, shelf: Storage) -> None:
        sql = "select name, number from keys join things on name = key order by name"
        async with shelf.reading() as reader:
            assert await reader.fetch_each(sql, ["d", "b", "nobody"]) == [("b", 1), ("d", 3)]
            assert await reader.fetch_each(sql, []) == []

    async def test_lock_each_finds_what_fetch_each_finds(self, shelf: Storage) -> None:
        sql = "select name, number from keys join things on name = key"
        async with shelf.transaction(NOW) as tx:
            assert await tx.lock_each(sql, ["b", "d", "nobody"]) == [("b", 1), ("d", 3)]
            assert await tx.lock_each(sql, []) == []

    async def test_locked_rows_are_read_as_whoever_held_them_left_them(self, shelf: Storage) -> None:
        async def double(name: str) -> None:
            async with shelf.transaction(NOW) as tx:
                [(_, number)] = await tx.lock_each("select name, number from keys join things on name = key", [name])
                await asyncio.sleep(0)
                await tx.run("update things set number = :number where name = :name", (2 * number, name))

        await asyncio.gather(*[double("b") for _ in range(10)])
        async with shelf.reading() as reader:
            assert (await things(reader))[1] == ("b", 1024)

    async def test_run_many_takes_every_kind_of_statement(self, shelf: Storage) -> None:
        upsert = f"{insert_thing} on conflict (name) do update set number = things.number + excluded.number"
        async with shelf.transaction(NOW) as tx:
            assert await tx.run_many(f"{insert_thing} on conflict (name) do nothing", [("a", 9), ("f", 5)]) == 1
            assert await tx.run_many(upsert, [("e", 10), ("g", 6)]) == 2
            guarded = "update things set number = number - :by where name = :name and number >= :by"
            assert await tx.run_many(guarded, [(1, "c"), (4, "d")]) == 1
            assert await tx.run_many("delete from things where name = :name", [("a",), ("z",)]) == 1
            assert await things(tx) == [("b", 1), ("c", 1), ("d", 3), ("e", 14), ("f", 5), ("g", 6)]

    async def test_keys_with_quotes_and_other_scripts_are_just_keys(self, shelf: Storage) -> None:
        names = ['"', "'; drop table things; --", "Zoë", "日本", "\\", ","]
        async with shelf.transaction(NOW) as tx:
            await tx.run_many(insert_thing, [(name, 9) for name in names])
            sql = "select name from keys join things on name = key"
            assert sorted(row[0] for row in await tx.fetch_each(sql, names)) == sorted(names)


class TestMigrations:
    async def test_second_time_there_is_nothing_to_do(self, open_storage: OpenStorage) -> None:
        storage = await open_storage([TABLE])
        first = await storage.migrate()
        assert any("things" in name for name in first)
        assert await storage.migrate() == []
        await storage.close()

    async def test_what_is_missing_is_applied_to_what_is_there(self, open_storage: OpenStorage) -> None:
        older = await open_storage([TABLE])
        await older.migrate()
        async with older.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
        await older.close()
        newer = await open_storage([TABLE, COLUMN])
        assert [name.rsplit(" ", 1)[1] for name in await newer.migrate()] == ["colour"]
        async with newer.reading() as reader:
            assert await reader.fetch("select name, colour from things") == [("a", "red")]
        await newer.close()

    async def test_schema_of_a_newer_program_is_refused(self, open_storage: OpenStorage) -> None:
        newer = await open_storage([TABLE, COLUMN])
        await newer.migrate()
        await newer.close()
        older = await open_storage([TABLE])
        with pytest.raises(WrongSchema, match=r"version 2.* up to 1"):
            await older.migrate()
        await older.close()

    async def test_migration_that_fails_leaves_nothing_behind(self, open_storage: OpenStorage) -> None:
        broken = Migration(1, "broken", (*TABLE.statements, "insert into no_such_table values (1)"))
        storage = await open_storage([broken])
        with pytest.raises(Exception, match="no_such_table"):
            await storage.migrate()
        await storage.close()
        mended = await open_storage([TABLE])
        assert len(await mended.migrate()) > 0
        await mended.close()

    async def test_what_was_committed_is_there_after_reopening(self, open_storage: OpenStorage) -> None:
        first = await open_storage([TABLE])
        await first.migrate()
        async with first.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
        await first.close()
        second = await open_storage([TABLE])
        assert await second.migrate() == []
        async with second.reading() as reader:
            assert await things(reader) == [("a", 1)]
        await second.close()
