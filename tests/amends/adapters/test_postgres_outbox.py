"""The outbox in PostgreSQL: processes, and hops of each, share one table and don't wait for each other."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from amends.adapters.postgres import PostgresStorage
from amends.conformance.fixtures import envelope
from amends.messages import Envelope, MessageId
from amends.pages import Backlog
from tests.amends.adapters import on_postgres
from tests.amends.adapters.on_postgres import NOW, waits

pytestmark = pytest.mark.servers

dsn = on_postgres.dsn


@pytest.fixture
async def one(dsn: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(dsn)
    await storage.migrate()
    yield storage
    await storage.close()


@pytest.fixture
async def two(dsn: str, one: PostgresStorage) -> AsyncIterator[PostgresStorage]:
    """Another process of the same service."""
    storage = PostgresStorage(dsn)
    yield storage
    await storage.close()


async def put(storage: PostgresStorage, *ids: str, now: float = NOW) -> None:
    async with storage.transaction(now) as tx:
        await storage.outbox.insert(tx, [envelope(id, key=id[0]) for id in ids])


async def remove(storage: PostgresStorage, *ids: str) -> None:
    async with storage.transaction(NOW) as tx:
        await storage.outbox.remove(tx, [MessageId(id) for id in ids])


async def claim(storage: PostgresStorage, now: float, limit: int = 1000) -> list[str]:
    """What a sweep finds at that time: it looks for what has been left for 30 s."""
    async with storage.transaction(now) as tx:
        return ids(await storage.outbox.claim(tx, now - 30, limit))


def ids(envelopes: Sequence[Envelope]) -> list[str]:
    return [each.id for each in envelopes]


async def rows(storage: PostgresStorage) -> list[str]:
    async with storage.reading() as reader:
        return [row[0] for row in await reader.fetch("select id from outbox order by id")]


async def test_processes_that_sweep_at_once_send_everything_once_and_in_order(
    one: PostgresStorage, two: PostgresStorage
) -> None:
    names = [f"a{number:03}" for number in range(60)]
    for name in names:
        await put(one, name)
    sent: list[str] = []

    async def sweep(storage: PostgresStorage) -> None:
        while await rows(storage):
            claimed = await claim(storage, NOW + 60, limit=7)
            sent.extend(claimed)
            await remove(storage, *claimed)

    await asyncio.gather(*[sweep(storage) for storage in (one, two, one, two)])
    assert sent == names


async def test_what_one_process_has_claimed_and_not_sent_is_not_overtaken(
    one: PostgresStorage, two: PostgresStorage
) -> None:
    await put(one, "a1", "b1")
    await put(one, "a2")
    async with one.transaction(NOW + 60) as tx:
        assert ids(await one.outbox.claim(tx, NOW + 30, 1)) == ["a1", "b1"]
        claiming = asyncio.ensure_future(claim(two, NOW + 60))
        while not await waits(one):
            assert not claiming.done()
    assert await claiming == []
    assert await claim(two, NOW + 75) == []
    await remove(one, "a1", "b1")
    assert await claim(two, NOW + 75) == ["a2"]


async def test_what_a_process_has_claimed_and_never_sent_is_claimed_again(
    one: PostgresStorage, two: PostgresStorage
) -> None:
    await put(one, "a1")
    assert await claim(one, NOW + 60) == ["a1"]
    assert await claim(two, NOW + 89) == []
    assert await claim(two, NOW + 90) == ["a1"]


async def test_message_that_commits_later_than_its_successor_is_not_passed_over(one: PostgresStorage) -> None:
    """Ids are in the order of being put in, commits are not."""
    async with one.transaction(NOW) as slow:
        await one.outbox.insert(slow, [envelope("a1")])
        await put(one, "a2")
        assert await claim(one, NOW + 60) == ["a2"]
        await remove(one, "a2")
    assert await claim(one, NOW + 60) == ["a1"]


async def test_hops_that_remove_the_same_messages_wait_for_nobody(one: PostgresStorage) -> None:
    await put(one, "a1")
    await put(one, "b1")
    taken = [MessageId("a1"), MessageId("b1")]
    async with one.transaction(NOW) as tx:
        await one.outbox.remove(tx, taken)
        await remove(one, "a1", "b1")
    assert await rows(one) == []


async def test_removal_that_passed_over_a_row_is_made_up_for(one: PostgresStorage) -> None:
    """One hop has locked it and is rolled back; by then another one has counted the message as gone."""
    await put(one, "a1")
    await put(one, "b1")

    async def fail() -> None:
        async with one.transaction(NOW) as tx:
            await one.outbox.remove(tx, [MessageId("a1")])
            await remove(one, "a1", "b1")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await rows(one) == ["a1"]
    assert await claim(one, NOW + 60) == [], "it was taken: it is removed, not sent again"
    await remove(one)
    assert await rows(one) == []


async def test_row_that_is_gone_is_not_looked_for_again_and_again(one: PostgresStorage) -> None:
    """Another process has claimed, sent and removed it; or the commit of its removal was unknown."""
    await put(one, "a1")
    async with one.transaction(NOW) as tx:
        await tx.run("delete from outbox")
    await remove(one, "a1")
    await claim(one, NOW + 60)
    assert one.outbox._done == set()  # type: ignore[attr-defined]


async def test_claim_takes_whole_rows(one: PostgresStorage) -> None:
    await put(one, "a1", "a2", "a3")
    await put(one, "b1", "b2")
    await put(one, "c1")
    assert await claim(one, NOW + 60, limit=4) == ["a1", "a2", "a3", "b1", "b2"]
    await remove(one, "a1", "a2", "a3", "b1", "b2")
    assert await claim(one, NOW + 60, limit=4) == ["c1"]


async def test_messages_left_by_a_process_that_is_gone_are_sent_by_another(
    one: PostgresStorage, two: PostgresStorage
) -> None:
    await put(one, "a1", "a2")
    await remove(one, "a1")
    assert await claim(two, NOW + 60) == ["a1", "a2"]
    await remove(two, "a1", "a2")
    assert await rows(one) == []
    async with one.reading() as reader:
        assert await one.outbox.backlog(reader) == Backlog(0, None)
