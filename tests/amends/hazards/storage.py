"""Scenarios of the rows on SQLite and on idempotency keys."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from amends import Migration
from amends.adapters.sqlite import DataFolder, SqliteStorage
from amends.connections import Tx
from amends.errors import Conflict, InUse, KeyInUse, KeyReused
from amends.idempotency import LEASE_S, IdempotencyKeys, fingerprint
from amends.pages import KeyScope, StoredAnswer

NOW = 2_000_000_000.0
THINGS = (Migration(1, "things", ("create table things (name text primary key, body text not null)",)),)
insert_thing = "insert into things (name, body) values (:name, :body)"

SCOPE = KeyScope("ann", "POST", "/orders", "k1")
BODY, OTHER = fingerprint(b'{"sku":"apple"}'), fingerprint(b'{"sku":"pear"}')
CREATED = StoredAnswer(BODY, 201, b"[]", b'{"id":"o1"}', 0.0)
REFUSED = StoredAnswer(BODY, 409, b"[]", b'{"type":"out-of-stock"}', 0.0)


async def shelf(folder: Path) -> SqliteStorage:
    storage = SqliteStorage(folder / "shelf.db", THINGS)
    await storage.migrate()
    return storage


async def names(storage: SqliteStorage) -> list[str]:
    async with storage.reading() as reader:
        return [row[0] for row in await reader.fetch("select name from things order by name")]


async def put(storage: SqliteStorage, name: str, body: str = "x", told: list[str] | None = None) -> None:
    async with storage.transaction(NOW) as tx:
        tx.after_commit(lambda: told.append(name) if told is not None else None)
        await tx.run(insert_thing, (name, body))


async def transactions_begin_immediate(folder: Path) -> None:
    """A transaction that has only read so far keeps other writers out: its own write can't fail for them."""
    one, two = await shelf(folder), await shelf(folder)
    two.writer().set_busy_timeout(0)
    async with one.transaction(NOW) as tx:
        await tx.fetch("select count(*) from things")
        with pytest.raises(apsw.BusyError):
            await put(two, "b")
        await tx.run(insert_thing, ("a", "x"))
    assert await names(one) == ["a"]
    await one.close()
    await two.close()


class Disk:
    """Whether syncs work at the moment."""

    broken = False


@contextmanager
def broken_disk() -> Iterator[Disk]:
    """Files whose sync can be made to fail, for every connection that is opened inside."""
    disk, usual = Disk(), apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
            super().__init__(usual, name, flags)

        def xSync(self, flags: int) -> None:  # noqa: N802
            if disk.broken:
                raise apsw.IOError("the disk lost it")
            super().xSync(flags)

    class Files(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("broken disk", usual, makedefault=True)

        def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> File:  # noqa: N802
            return File(name, flags)

    files = Files()
    try:
        yield disk
    finally:
        files.unregister()


async def failed_sync_is_never_acknowledged(folder: Path) -> None:
    """After a failed fsync: the caller hears of it, nothing was acknowledged, the connection is another one."""
    with broken_disk() as disk:
        storage = await shelf(folder)
        told: list[str] = []
        await put(storage, "a", told=told)
        before = storage.writer()
        try:
            disk.broken = True
            with pytest.raises(apsw.IOError):
                await put(storage, "b", told=told)
            assert told == ["a"], "a commit that failed was acknowledged"
            disk.broken = False
            assert storage.writer() is not before, "a connection that has seen a failed sync is still used"
            await put(storage, "c", told=told)
            assert {"a", "c"} <= set(await names(storage)), "whether b is there nobody can know"
            assert told == ["a", "c"]
            await storage.close()
        finally:
            before.close(True)


async def full_disk_is_survived(folder: Path) -> None:
    """What doesn't fit is rolled back and told; once there is room, the same storage goes on."""
    storage = await shelf(folder)
    told: list[str] = []
    storage.writer().execute("pragma max_page_count = 1").fetchall()
    with pytest.raises(apsw.FullError):
        await put(storage, "big", body="x" * 100_000, told=told)
    storage.writer().execute("pragma max_page_count = 1000000").fetchall()
    await put(storage, "small", told=told)
    assert (await names(storage), told) == (["small"], ["small"])
    await storage.close()


async def one_process_owns_the_folder(folder: Path) -> None:
    first, second = DataFolder(folder / "data"), DataFolder(folder / "data")
    first.open()
    try:
        with pytest.raises(InUse, match="in use by process"):
            second.open()
        first.close()
        second.open()
    finally:
        first.close()
        second.close()


class Shop:
    """A handler behind a key: claims, works, stores its answer."""

    def __init__(self, storage: SqliteStorage) -> None:
        self.storage = storage
        self.keys = IdempotencyKeys(storage)
        self.effects = 0

    async def claim(self, scope: KeyScope = SCOPE, body: bytes = BODY, now: float = NOW) -> StoredAnswer | None:
        async with self.storage.transaction(now) as tx:
            return await self.keys.claim(tx, scope, body)

    async def finish(self, answer: StoredAnswer, scope: KeyScope = SCOPE) -> None:
        self.effects += 1
        async with self.storage.transaction(NOW) as tx:
            await self.keys.finish(tx, scope, answer)

    async def at_once(self, answer: StoredAnswer, scope: KeyScope = SCOPE, body: bytes = BODY) -> StoredAnswer:
        """Effect and answer in one transaction; the loser of a race reads the winner's row."""
        try:
            async with self.storage.transaction(NOW) as tx:
                first = await self.keys.first(tx, scope, body)
                return first or await self._work(tx, scope, answer)
        except Conflict:
            return await self.at_once(answer, scope, body)

    async def _work(self, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> StoredAnswer:
        await asyncio.sleep(0)
        await self.keys.store(tx, [(scope, answer)])
        self.effects += 1
        return answer


async def loser_of_a_race_reads_the_winners_answer(folder: Path) -> None:
    shop = Shop(await shelf(folder))
    answers = await asyncio.gather(
        *[shop.at_once(CREATED._replace(body=f'{{"id":"o{number}"}}'.encode())) for number in range(5)]
    )
    assert len({answer.body for answer in answers}) == 1, "one key, several answers"
    assert shop.effects == 1
    await shop.storage.close()


async def key_is_inserted_once(folder: Path) -> None:
    """Two transactions that both saw no row: the second insert is refused."""
    shop = Shop(await shelf(folder))
    async with shop.storage.transaction(NOW) as tx:
        await shop.keys.store(tx, [(SCOPE, CREATED)])
    with pytest.raises(Conflict):
        async with shop.storage.transaction(NOW) as tx:
            await shop.keys.store(tx, [(SCOPE, REFUSED)])
    assert await shop.claim() == CREATED
    await shop.storage.close()


async def second_request_waits_for_the_first(folder: Path) -> None:
    shop = Shop(await shelf(folder))
    assert await shop.claim() is None
    with pytest.raises(KeyInUse) as running:
        await shop.claim(now=NOW + 1)
    assert running.value.retry_after_s == LEASE_S - 1
    await shop.finish(CREATED)
    assert await shop.claim() == CREATED
    await shop.storage.close()


async def lease_of_a_crashed_request_ends(folder: Path) -> None:
    shop = Shop(await shelf(folder))
    assert await shop.claim() is None
    try:
        assert await shop.claim(now=NOW + LEASE_S) is None
    except KeyInUse:
        raise AssertionError("a crashed request answers 409 for ever") from None
    with pytest.raises(KeyInUse):
        await shop.claim(now=NOW + LEASE_S + 1)
    await shop.storage.close()


async def first_answer_to_a_key_stands(folder: Path) -> None:
    """The first request was slow, not dead; the second took its claim over and has answered."""
    shop = Shop(await shelf(folder))
    await shop.claim()
    await shop.claim(now=NOW + LEASE_S)
    await shop.finish(CREATED)
    await shop.finish(REFUSED)
    assert await shop.claim() == CREATED, "a late answer replaced the one that was given"
    await shop.storage.close()


async def refusal_is_stored_alike(folder: Path) -> None:
    shop = Shop(await shelf(folder))
    assert await shop.at_once(REFUSED) == REFUSED
    assert await shop.at_once(CREATED) == REFUSED, "a refusal was forgotten"
    assert shop.effects == 1
    await shop.storage.close()


async def key_never_shows_another_principals_answer(folder: Path) -> None:
    shop = Shop(await shelf(folder))
    await shop.at_once(CREATED)
    bobs = CREATED._replace(body=b'{"id":"o2"}')
    assert await shop.at_once(bobs, SCOPE._replace(principal="bob")) == bobs
    assert await shop.at_once(bobs, SCOPE._replace(route="/refunds")) == bobs
    await shop.storage.close()


async def same_key_with_another_body_is_refused(folder: Path) -> None:
    shop = Shop(await shelf(folder))
    await shop.at_once(CREATED)
    with pytest.raises(KeyReused):
        await shop.at_once(CREATED, body=OTHER)
    assert await shop.claim(SCOPE._replace(key="k2")) is None
    with pytest.raises(KeyReused):
        await shop.claim(SCOPE._replace(key="k2"), OTHER)
    await shop.storage.close()


SCENARIOS = [
    transactions_begin_immediate,
    failed_sync_is_never_acknowledged,
    full_disk_is_survived,
    one_process_owns_the_folder,
    loser_of_a_race_reads_the_winners_answer,
    key_is_inserted_once,
    second_request_waits_for_the_first,
    lease_of_a_crashed_request_ends,
    first_answer_to_a_key_stands,
    refusal_is_stored_alike,
    key_never_shows_another_principals_answer,
    same_key_with_another_body_is_refused,
]
