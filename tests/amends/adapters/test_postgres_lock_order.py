"""Transactions that want the same rows wait for each other in the order of keys: no two of them for ever.

Each scenario lets a third transaction hold a row until two others want it. Where these come from different ends, each
has by then what the other one wants next: PostgreSQL finds a deadlock, and undoes one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage, statements
from amends.adapters.postgres import connection as connections
from amends.conformance.fixtures import instance
from amends.connections import Row
from amends.coordinator import Coordinator
from amends.errors import Conflict
from amends.messages import Envelope
from amends.pages import Change, Instance
from amends.service import Service
from amends.signals import Signals
from amends.state import Status
from tests.amends.adapters import on_postgres
from tests.amends.adapters.on_postgres import NOW, THINGS, insert_thing, lock_things, things
from tests.amends.hazards.servers.hotel import ROOMS, _hotel, asks
from tests.amends.trips import trip_saga

pytestmark = pytest.mark.servers

database = on_postgres.dsn
Patch = pytest.MonkeyPatch
Work = Coroutine[Any, Any, object]

DEADLOCK = "waited for each other"
waiting = "select distinct pid from pg_locks where not granted"
others = "select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
insert_barrier = "insert into inbox values ('t2', 'book hotel', 'action', 'done', 'Done', '')"


@pytest.fixture
async def dsn(database: str) -> str:
    """A database in which deadlocks are soon looked for."""
    connection = await asyncpg.connect(database)
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {name} set deadlock_timeout = '50ms'")
    await connection.close()
    return database


class Holder:
    """Holds what its statement has locked, while others want it."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def waited_for_by(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(await self._connection.fetch(waiting)) < count:
                pass


@asynccontextmanager
async def holding(dsn: str, sql: str) -> AsyncIterator[Holder]:
    connection = await asyncpg.connect(dsn)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(sql)
    yield Holder(connection)
    await transaction.rollback()
    await connection.close()


async def one_after_the_other(dsn: str, held: str, first: Work, second: Work) -> list[object]:
    """Both want what is held, the second as soon as the first does; what became of them."""
    async with holding(dsn, held) as holder:
        tasks = []
        for count, work in enumerate((first, second), 1):
            tasks.append(asyncio.ensure_future(work))
            await holder.waited_for_by(count)
    return list(await asyncio.gather(*tasks, return_exceptions=True))


async def nobody_deadlocked(dsn: str) -> None:
    """A session tells what it has counted when it ends at the latest."""
    connection = await asyncpg.connect(dsn)
    async with asyncio.timeout(30):
        while await connection.fetch(others):
            pass
    found = await connection.fetchval(deadlocks)
    await connection.close()
    assert found == 0, f"two transactions {DEADLOCK}"


async def rooms_lock_what_they_change(dsn: str) -> None:
    """Two orders of the same goods, named in another order."""
    storage = PostgresStorage(dsn, THINGS)
    await storage.migrate()
    async with storage.transaction(NOW) as tx:
        await tx.run_many(insert_thing, [("a", 1), ("b", 1)])

    async def take(*names: str) -> None:
        async with storage.transaction(NOW) as tx:
            await tx.lock_each(lock_things, names)
            await tx.run_many("update things set number = number - 1 where name = :name", [(name,) for name in names])

    held = "select 1 from things where name = 'a' for update"
    await one_after_the_other(dsn, held, take("a", "b"), take("b", "a"))
    left = await things(storage)
    await storage.close()
    await nobody_deadlocked(dsn)
    assert left == {"a": -1, "b": -1}


async def processes_write_their_barrier(dsn: str) -> None:
    """Two processes of a participant are given the same commands, in another order."""
    processes = [await hotel(dsn) for _ in range(2)]
    orders = asks("t1", "t2", "t3"), asks("t3", "t2", "t1")
    taken = [asyncio.Event() for _ in range(2)]
    async with holding(dsn, insert_barrier) as holder:
        for count, (process, order) in enumerate(zip(processes, orders, strict=True), 1):
            process.transport.send(order, Taking(order, taken[count - 1]))
            await holder.waited_for_by(count)
    await asyncio.gather(*[each.wait() for each in taken])
    async with processes[0].storage.reading() as reader:
        booked = await reader.fetch("select trip from bookings order by trip")
    for process in processes:
        await process.service.stop()
        await process.storage.close()
    await nobody_deadlocked(dsn)
    assert booked == [("t1",), ("t2",), ("t3",)]


async def timers_and_replies_move_sagas(dsn: str) -> None:
    """Two hops of a coordinator move the same two sagas, of which each gives another one a new timer."""
    storage = PostgresStorage(dsn)
    await storage.migrate()
    service = Service(storage, InProcess(), AsyncioRuntime(), Signals(), definitions=[trip_saga()])
    assert service.coordinator is not None
    a, b = instance("a"), instance("b")
    async with storage.transaction(NOW) as tx:
        await storage.sagas.insert(tx, [a, b])
    held = "select 1 from sagas where id = 'a' for update"
    replies, timers = moved(a, b), moved(b, a)
    ended = await one_after_the_other(
        dsn, held, save(storage, service.coordinator, replies), save(storage, service.coordinator, timers)
    )
    await storage.close()
    await nobody_deadlocked(dsn)
    assert [type(each) for each in ended] == [type(None), Conflict]


def moved(same: Instance, later: Instance) -> list[Change]:
    """One keeps its timer, the other one does not."""
    return [
        Change(same, same.moved(same.state, same.wake_at)),
        Change(later, later.moved(instance("", Status.COMPENSATING).state, NOW + 99)),
    ]


async def save(storage: PostgresStorage, coordinator: Coordinator, changes: Sequence[Change]) -> None:
    async with storage.transaction(NOW) as tx:
        await coordinator._save(tx, changes)


class Process(NamedTuple):
    """Of the hotel."""

    storage: PostgresStorage
    transport: InProcess
    service: Service


async def hotel(dsn: str) -> Process:
    storage, transport = PostgresStorage(dsn, ROOMS, name="hotel"), InProcess()
    await storage.migrate()
    service = Service(storage, transport, AsyncioRuntime(), Signals(), participant=_hotel())
    await service.start()
    return Process(storage, transport, service)


class Taking:
    """Says when a transport has taken all messages."""

    def __init__(self, sent: Sequence[Envelope], complete: asyncio.Event) -> None:
        self._missing = {each.id for each in sent}
        self._complete = complete

    def __call__(self, ids: Sequence[str]) -> None:
        self._missing.difference_update(ids)
        if not self._missing:
            self._complete.set()


def rows_are_locked_as_they_are_named(patch: Patch) -> None:
    async def lock_each(self: connections.PostgresTx, sql: str, keys: Sequence[str]) -> list[Row]:
        return await self._fetch(statements.each(f"{sql} for no key update"), (list(keys),))

    patch.setattr(connections.PostgresTx, "lock_each", lock_each)


def barrier_is_written_as_it_comes(patch: Patch) -> None:
    patch.setattr("amends.participant_hop.sorted", lambda items: [*items], raising=False)


def sagas_are_written_as_they_come(patch: Patch) -> None:
    patch.setattr("amends.coordinator.sorted", lambda items, **_: [*items], raising=False)


class Ablation(NamedTuple):
    """A rule's absence, and the scenario that has to notice it."""

    scenario: Callable[[str], Awaitable[None]]
    take_out: Callable[[Patch], None]


ABLATIONS = [
    Ablation(rooms_lock_what_they_change, rows_are_locked_as_they_are_named),
    Ablation(processes_write_their_barrier, barrier_is_written_as_it_comes),
    Ablation(timers_and_replies_move_sagas, sagas_are_written_as_they_come),
]


@pytest.mark.parametrize("scenario", [each.scenario for each in ABLATIONS], ids=lambda each: each.__name__)
async def test_hazard_is_met(scenario: Callable[[str], Awaitable[None]], dsn: str) -> None:
    await scenario(dsn)


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.take_out.__name__)
async def test_scenario_notices_that_its_rule_is_gone(ablation: Ablation, dsn: str, monkeypatch: Patch) -> None:
    ablation.take_out(monkeypatch)
    with pytest.raises(AssertionError, match=DEADLOCK):
        await ablation.scenario(dsn)
