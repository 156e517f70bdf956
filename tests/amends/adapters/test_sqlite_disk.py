"""Storage on a disk that fails: a sync that doesn't succeed, no room, a read that is refused."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import apsw
import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.testing.disk import Disk
from amends.testing.disk_files import DiskFile
from tests.amends.hazards.storage import THINGS, names, put

BIG = "x" * 90_000


@pytest.fixture
def disk() -> Iterator[Disk]:
    with Disk(Random(1)) as disk:
        yield disk


@pytest.fixture
async def storage(disk: Disk) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(Path("shelf.db"), THINGS, disk.name)
    await storage.migrate()
    yield storage
    await storage.close()


def checkpoint_at_once(storage: SqliteStorage) -> None:
    """Every commit moves the log by itself."""
    storage.checkpoints.pages = storage.checkpoints.most_pages = 0


@pytest.mark.parametrize("after", [2, 3], ids=["log", "database"])
async def test_failed_sync_of_a_checkpoint_keeps_nobody_waiting(disk: Disk, storage: SqliteStorage, after: int) -> None:
    """A commit that begins the log anew syncs twice before the checkpoint syncs the log, and then the database."""
    checkpoint_at_once(storage)
    told: list[str] = []
    await put(storage, "a", told=told)
    before = storage.writer()
    disk.fail_syncs(after=after)
    await asyncio.wait_for(put(storage, "b", told=told), 5)
    assert storage.writer() is not before, "a connection that has seen a failed sync is still used"
    await put(storage, "c", told=told)
    assert told == await names(storage) == ["a", "b", "c"]


async def test_checkpoint_without_room_keeps_nobody_waiting(disk: Disk, storage: SqliteStorage) -> None:
    """The log has room for the commit, the database has none for what is in it."""
    checkpoint_at_once(storage)
    told: list[str] = []
    await put(storage, "a", BIG, told)
    disk.full = True
    await asyncio.wait_for(put(storage, "b", BIG[:50_000], told), 5)
    disk.full = False
    await put(storage, "c", BIG, told)
    assert told == await names(storage) == ["a", "b", "c"]


async def test_log_that_has_grown_too_long_during_a_checkpoint_keeps_nobody_waiting(
    storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer would move the log itself, while the thread beside it is at it."""
    begun, go_on = threading.Event(), threading.Event()
    sync = DiskFile.sync

    def slow(file: DiskFile, directory: bool) -> None:
        if threading.current_thread() is not threading.main_thread():
            begun.set()
            go_on.wait(10)
        sync(file, directory)

    monkeypatch.setattr(DiskFile, "sync", slow)
    storage.checkpoints.pages = 0
    told: list[str] = []
    try:
        await put(storage, "a", told=told)
        assert await asyncio.to_thread(begun.wait, 10)
        storage.checkpoints.most_pages = 0
        await asyncio.wait_for(put(storage, "b", told=told), 5)
    finally:
        go_on.set()
    assert told == await names(storage) == ["a", "b"]


@pytest.mark.parametrize(("full", "error"), [(True, apsw.FullError), (False, apsw.IOError)], ids=["full", "sync"])
async def test_migration_tells_what_the_disk_has_said(disk: Disk, full: bool, error: type[apsw.Error]) -> None:
    storage = SqliteStorage(Path("shelf.db"), THINGS, disk.name)
    before = storage.writer()
    disk.full = full
    disk.fail_syncs(0 if full else 1)
    with pytest.raises(error):
        await storage.migrate()
    disk.full = False
    assert storage.writer() is not before, "a connection that the disk has failed is still used"
    assert len(await storage.migrate()) == 3
    await storage.close()


async def test_reader_that_the_disk_has_failed_is_not_used_again(disk: Disk, storage: SqliteStorage) -> None:
    async def read_across_a_cut() -> None:
        async with storage.reading() as reader:
            await reader.fetch("select 1")
            disk.crash()
            await reader.fetch("select body from things")

    await put(storage, "a", BIG)
    with pytest.raises(apsw.IOError, match="power was cut"):
        await read_across_a_cut()
    storage.distrust()
    assert await names(storage) == ["a"]
