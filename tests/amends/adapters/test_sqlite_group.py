"""Transactions that end in the same turn share a commit, and only that."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.adapters.sqlite.checkpoint import Checkpoints
from amends.connections import Tx
from amends.schema import Migration

SCHEMA = (Migration(1, "things", ("create table things (name text primary key)",)),)


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "things.db", SCHEMA)
    await storage.migrate()
    yield storage
    await storage.close()


async def put(tx: Tx, name: str) -> None:
    await tx.run("insert into things (name) values (:name)", (name,))


async def names(storage: SqliteStorage) -> list[str]:
    async with storage.reading() as reader:
        return [row[0] for row in await reader.fetch("select name from things order by name")]


async def keep(storage: SqliteStorage, name: str, told: list[str]) -> None:
    async with storage.transaction(0.0) as tx:
        tx.after_commit(lambda: told.append(name))
        await put(tx, name)


async def test_ready_transactions_share_one_commit(storage: SqliteStorage) -> None:
    commits, told = list[int](), list[str]()

    def count() -> bool:
        commits.append(1)
        return False

    storage.writer().set_commit_hook(count)
    await asyncio.gather(*[keep(storage, f"n{number}", told) for number in range(5)])
    assert (len(commits), sorted(told)) == (1, await names(storage))


async def test_transaction_that_fails_takes_no_other_with_it(storage: SqliteStorage) -> None:
    told: list[str] = []

    async def fail() -> None:
        async with storage.transaction(0.0) as tx:
            await put(tx, "bad")
            raise ValueError("no")

    results = await asyncio.gather(keep(storage, "a", told), fail(), keep(storage, "b", told), return_exceptions=True)
    assert [type(each) for each in results] == [type(None), ValueError, type(None)]
    assert (await names(storage), told) == (["a", "b"], ["a", "b"])


async def test_commit_that_fails_fails_every_member_and_tells_nobody(storage: SqliteStorage) -> None:
    told: list[str] = []
    storage.writer().set_commit_hook(lambda: True)  # SQLite turns the commit into a rollback
    results = await asyncio.gather(keep(storage, "a", told), keep(storage, "b", told), return_exceptions=True)
    assert all(isinstance(each, apsw.Error) for each in results)
    storage.writer().set_commit_hook(None)
    assert (await names(storage), told) == ([], [])
    await keep(storage, "c", told)
    assert (await names(storage), told) == (["c"], ["c"])


async def test_no_commit_comes_between_the_statements_of_a_transaction(storage: SqliteStorage) -> None:
    told: list[str] = []
    async with storage.transaction(0.0) as tx:
        await put(tx, "half")
        other = asyncio.get_running_loop().create_task(keep(storage, "other", told))
        for _ in range(5):
            await asyncio.sleep(0)
        assert await names(storage) == []
        await put(tx, "whole")
    await other
    assert await names(storage) == ["half", "other", "whole"]


async def test_announcement_is_made_though_its_task_was_cancelled(storage: SqliteStorage) -> None:
    told: list[str] = []
    task = asyncio.get_running_loop().create_task(keep(storage, "a", told))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await keep(storage, "b", told)
    assert (await names(storage), told) == (["a", "b"], ["a", "b"])


async def test_long_log_is_moved_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amends.adapters.sqlite.checkpoint.PAGES", 5)
    storage = SqliteStorage(tmp_path / "things.db", SCHEMA)
    await storage.migrate()
    for number in range(50):
        await keep(storage, f"n{number}", [])
    checkpoints: Checkpoints = storage.checkpoints
    await checkpoints.settle()
    moved = storage.writer().wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    assert moved[0] < 100, "the log began anew at least once"
    await storage.close()
