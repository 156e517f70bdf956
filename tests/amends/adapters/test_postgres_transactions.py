"""Transactions of PostgreSQL beside each other: who waits, who begins anew, who never meets."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import asyncpg
import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.conformance.fixtures import envelope
from amends.errors import Conflict, StorageError, TryTransactionAgain
from amends.messages import Envelope, MessageId
from amends.signals import Signals
from amends.worker import Worker
from tests.amends.adapters import on_postgres
from tests.amends.adapters.on_postgres import (
    NOW,
    THINGS,
    all_things,
    insert_thing,
    lock_things,
    raise_thing,
    things,
    waits,
)

pytestmark = pytest.mark.servers

dsn, shelf = on_postgres.dsn, on_postgres.shelf
spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"] = asyncio.ensure_future


class Meeting:
    """Lets nobody on before all are there."""

    def __init__(self, parties: int) -> None:
        self._missing = parties
        self._complete = asyncio.Event()

    async def come(self) -> None:
        self._missing -= 1
        if self._missing <= 0:
            self._complete.set()
        await self._complete.wait()


class Taking:
    """Knows when a transport has taken all messages."""

    def __init__(self, missing: int) -> None:
        self.complete = asyncio.Event()
        self._missing = missing

    def take(self, ids: Sequence[MessageId]) -> None:
        self._missing -= len(ids)
        if self._missing == 0:
            self.complete.set()


async def raise_in_order(storage: PostgresStorage, names: str, between: Meeting) -> None:
    async with storage.transaction(NOW) as tx:
        await tx.run(raise_thing, (names[0],))
        await between.come()
        await tx.run(raise_thing, (names[1],))


async def test_deadlock_undoes_one_of_the_two(shelf: PostgresStorage) -> None:
    meeting = Meeting(2)
    both = [raise_in_order(shelf, names, meeting) for names in ("ab", "ba")]
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in ended if each is not None] == [TryTransactionAgain]
    assert await things(shelf) == {"a": 2, "b": 3, "c": 3}


async def test_worker_begins_anew_what_was_undone_for_a_deadlock(shelf: PostgresStorage) -> None:
    """Nothing is wrong with the message: it is neither deferred nor parked."""
    meeting, transport, runtime, tries = Meeting(2), InProcess(), AsyncioRuntime(), list[str]()

    async def hop(batch: Sequence[Envelope]) -> None:
        tries.append(batch[0].key)
        await raise_in_order(shelf, batch[0].key, meeting)

    workers = [Worker(hop, to, transport.subscribe(to), shelf, runtime, Signals()) for to in ("one", "two")]
    for worker in workers:
        await worker.start()
    done = Taking(2)
    for to, key in (("one", "ab"), ("two", "ba")):
        transport.send([envelope(to, to=to, key=key)], done.take)
    await done.complete.wait()
    for worker in workers:
        worker.stop()
        await worker.stopped()
    assert await things(shelf) == {"a": 3, "b": 4, "c": 3}
    assert len(tries) == 3
    async with shelf.reading() as reader:
        assert await shelf.parking.all(reader, 10) == []


async def test_serialization_failure_begins_anew(shelf: PostgresStorage) -> None:
    async def late() -> None:
        async with shelf.transaction(NOW) as tx:
            await tx.run("set transaction isolation level repeatable read")
            await tx.fetch(all_things)
            async with shelf.transaction(NOW) as other:
                await other.run(raise_thing, ("a",))
            await tx.run(raise_thing, ("a",))

    with pytest.raises(TryTransactionAgain, match="SerializationError"):
        await late()
    assert (await things(shelf))["a"] == 2


async def test_locks_in_the_order_of_keys_never_deadlock(shelf: PostgresStorage) -> None:
    async def raise_all(keys: str) -> None:
        async with shelf.transaction(NOW) as tx:
            rows = await tx.lock_each(lock_things, list(keys))
            assert [row[0] for row in rows] == sorted(keys)
            await asyncio.sleep(0)
            await tx.run_many(raise_thing, [(key,) for key in keys])

    await asyncio.gather(*[raise_all(keys) for keys in ("abc", "cba", "bca", "cab") for _ in range(10)])
    assert await things(shelf) == {"a": 41, "b": 42, "c": 43}


async def test_lock_keeps_others_out_until_its_transaction_has_ended(shelf: PostgresStorage) -> None:
    async def double() -> None:
        async with shelf.transaction(NOW) as tx:
            [(_, number)] = await tx.lock_each(lock_things, ["b"])
            await tx.run("update things set number = :number where name = 'b'", (2 * number,))

    async with shelf.transaction(NOW) as tx:
        await tx.lock_each(lock_things, ["b"])
        waiting = spawn(double())
        while not await waits(shelf):
            assert not waiting.done()
        await tx.run("update things set number = 10 where name = 'b'")
    await waiting
    assert (await things(shelf))["b"] == 20


async def test_reference_to_a_locked_row_waits_for_nobody(dsn: str) -> None:
    """Whoever reserves, locks stock; that another reservation of it has a foreign key, must not make that one wait."""
    of_thing = "create table parts (name text primary key, thing text not null references things (name))"
    storage = PostgresStorage(dsn, [THINGS[0]._replace(statements=(*THINGS[0].statements, of_thing))])
    await storage.migrate()
    async with storage.transaction(NOW) as tx:
        await tx.run(insert_thing, ("a", 1))
    async with storage.transaction(NOW) as tx:
        await tx.lock_each(lock_things, ["a"])
        async with storage.transaction(NOW) as other:
            await other.run("insert into parts (name, thing) values ('p', 'a')")
    await storage.close()


async def test_key_that_is_there_already_is_a_conflict(shelf: PostgresStorage) -> None:
    with pytest.raises(Conflict, match="things_pkey"):
        async with shelf.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))


async def test_wrong_statement_is_told_as_it_is(shelf: PostgresStorage) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with shelf.transaction(NOW) as tx:
            await tx.run("update no_such_table set a = 1")
    assert len(await things(shelf)) == 3


async def test_error_that_was_caught_in_the_block_does_not_pass_for_a_commit(shelf: PostgresStorage) -> None:
    done: list[str] = []

    async def swallow() -> None:
        async with shelf.transaction(NOW) as tx:
            tx.after_commit(lambda: done.append("never"))
            await tx.run(raise_thing, ("a",))
            with pytest.raises(Conflict):
                await tx.run(insert_thing, ("a", 1))

    with pytest.raises(StorageError, match="rolled back instead"):
        await swallow()
    assert (await things(shelf), done) == ({"a": 1, "b": 2, "c": 3}, [])


async def test_action_that_fails_leaves_what_is_committed(shelf: PostgresStorage) -> None:
    def fail() -> None:
        raise LookupError("boom")

    async def raise_and_fail() -> None:
        async with shelf.transaction(NOW) as tx:
            tx.after_commit(fail)
            await tx.run(raise_thing, ("a",))

    for _ in range(10):
        with pytest.raises(LookupError, match="boom"):
            await raise_and_fail()
    assert (await things(shelf))["a"] == 11


async def test_key_that_no_text_can_hold_is_found_nowhere(shelf: PostgresStorage) -> None:
    async with shelf.transaction(NOW) as tx:
        assert await tx.fetch_each(lock_things, ["a", "b\0", "\0"]) == [("a", 1)]
        assert await tx.lock_each(lock_things, ["c\0", "c"]) == [("c", 3)]
