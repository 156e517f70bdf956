"""A PostgreSQL that goes away: what was committed stays, what was not is gone, and work goes on when it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest

from amends.adapters.postgres import PoolOptions, PostgresStorage
from amends.conformance.fixtures import envelope
from amends.errors import CommitUnknown, Unavailable
from amends.messages import Envelope
from amends.outbox import UNSURE_AFTER_S, OutboxRelay
from amends.ports import Taken
from amends.testing.runtime import VirtualRuntime
from tests.amends.adapters.on_postgres import NOW, THINGS, VERSIONS, insert_thing, raise_thing, things
from tests.servers import fresh_database, require, wait_for
from tools.servers import Postgres, TcpProxy, missing_for_postgres

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda version: f"postgres-{version}")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One of this module's own: it is killed."""
    require(missing_for_postgres(request.param))
    server = Postgres(tmp_path_factory.mktemp("postgres"), request.param)
    yield server
    wait_for(server.stop())


@pytest.fixture
async def dsn(server: Postgres) -> AsyncIterator[str]:
    if not server.process.pid:
        await server.start()
    async with fresh_database(server) as dsn:
        yield dsn
        if not server.process.pid:
            await server.start()


@pytest.fixture
async def storage(dsn: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(dsn, THINGS)
    await storage.migrate()
    async with storage.transaction(NOW) as tx:
        await tx.run_many(insert_thing, [("a", 1), ("b", 2)])
    yield storage
    await storage.close()


async def test_killed_server_takes_the_open_transaction_with_it(server: Postgres, storage: PostgresStorage) -> None:
    done: list[str] = []

    async def be_killed() -> None:
        async with storage.transaction(NOW) as tx:
            tx.after_commit(lambda: done.append("never"))
            await tx.run(raise_thing, ("a",))
            await server.kill()
            await tx.run(raise_thing, ("b",))

    with pytest.raises(Unavailable):
        await be_killed()
    with pytest.raises(Unavailable):
        await things(storage)
    await server.start()
    assert (await things(storage), done) == ({"a": 1, "b": 2}, [])


async def test_what_was_committed_outlives_a_kill(server: Postgres, storage: PostgresStorage) -> None:
    async with storage.transaction(NOW) as tx:
        await tx.run(raise_thing, ("a",))
    await server.kill()
    await server.start()
    assert await things(storage) == {"a": 2, "b": 2}


async def test_every_connection_is_replaced_after_a_restart(server: Postgres, storage: PostgresStorage) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*[things(storage) for _ in range(12)])

    await all_at_once()
    await server.restart()
    await all_at_once()
    assert await things(storage) == {"a": 1, "b": 2}


async def test_storage_of_a_server_that_is_away_waits_for_nobody(server: Postgres, storage: PostgresStorage) -> None:
    await server.kill()
    for _ in range(10):
        with pytest.raises(Unavailable, match="Connect"):
            await things(storage)
    await storage.close()


def through(proxy: TcpProxy, dsn: str) -> str:
    return dsn.replace(f":{proxy.target_port}/", f":{proxy.port}/")


class Cut:
    """A storage behind a wire that can be cut."""

    def __init__(self, server: Postgres, dsn: str) -> None:
        self._direct = dsn
        self.proxy = TcpProxy(server.port)
        self.storage = PostgresStorage(through(self.proxy, dsn), THINGS, options=PoolOptions(patience_s=10.0))

    async def during_commit(self, work: Callable[[], Awaitable[None]], written: str) -> None:
        """Cuts while the server's answer to a commit is on its way back."""
        try:
            committing = await self.committing(work, written)
            await self.proxy.cut()
            await committing
        finally:
            self.proxy.slow(0.0)
            await self.proxy.heal()

    async def committing(self, work: Callable[[], Awaitable[None]], written: str) -> "asyncio.Future[None]":
        """Returns when the server has committed, and the answer is on its way: when `written` finds a row."""
        connection = await asyncpg.connect(self._direct)
        self.proxy.slow(0.3)
        committing = asyncio.ensure_future(work())
        while not await connection.fetch(written):
            assert not committing.done()
        await connection.close()
        return committing


@pytest.fixture
async def cut(server: Postgres, dsn: str) -> AsyncIterator[Cut]:
    cut = Cut(server, dsn)
    await cut.proxy.start()
    await cut.storage.migrate()
    yield cut
    await cut.storage.close()
    await cut.proxy.stop()


async def test_commit_whose_answer_is_lost_is_unknown(cut: Cut) -> None:
    done: list[str] = []

    async def put() -> None:
        async with cut.storage.transaction(NOW) as tx:
            tx.after_commit(lambda: done.append("never"))
            await tx.run(insert_thing, ("a", 1))

    with pytest.raises(CommitUnknown, match="try the same again"):
        await cut.during_commit(put, "select 1 from things")
    assert (await things(cut.storage), done) == ({"a": 1}, [])


async def test_commit_whose_waiter_is_cancelled_leaves_a_clean_connection(cut: Cut) -> None:
    async def put() -> None:
        async with cut.storage.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))

    committing = await cut.committing(put, "select 1 from things")
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    cut.proxy.slow(0.0)
    assert await asyncio.gather(*[things(cut.storage) for _ in range(12)]) == [{"a": 1}] * 12


async def test_wire_that_is_cut_before_the_commit_leaves_nothing(cut: Cut) -> None:
    async def put() -> None:
        async with cut.storage.transaction(NOW) as tx:
            await tx.run(insert_thing, ("a", 1))
            await cut.proxy.cut()
            await tx.run(insert_thing, ("b", 1))

    with pytest.raises(Unavailable) as raised:
        await put()
    assert raised.type is Unavailable
    await cut.proxy.heal()
    assert await things(cut.storage) == {}


async def test_server_that_does_not_answer_any_more_is_given_up(server: Postgres, dsn: str) -> None:
    """A network that swallows everything breaks no connection."""
    proxy = TcpProxy(server.port)
    await proxy.start()
    storage = PostgresStorage(through(proxy, dsn), THINGS, options=PoolOptions(patience_s=0.5, close_s=0.5))
    await storage.migrate()
    proxy.slow(1000.0)
    with pytest.raises(Unavailable, match="TimeoutError"):
        await things(storage)
    await storage.close()
    await proxy.stop()


class Wire:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, envelopes: list[Envelope], taken: Taken) -> None:
        self.sent += [each.id for each in envelopes]
        taken([each.id for each in envelopes])


async def test_messages_of_an_unknown_commit_leave_soon(cut: Cut) -> None:
    """They are in the table, and nobody else would look for half a minute."""
    wire, runtime = Wire(), VirtualRuntime()
    relay = OutboxRelay(cut.storage, wire, runtime)  # type: ignore[arg-type]
    await relay.tidy()

    async def put() -> None:
        async with cut.storage.transaction(runtime.now()) as tx:
            await relay.put(tx, [envelope("m1"), envelope("m2")])

    with pytest.raises(CommitUnknown):
        await cut.during_commit(put, "select 1 from outbox")
    await relay.tidy()
    assert wire.sent == []
    runtime.jump(UNSURE_AFTER_S)
    await relay.tidy()
    assert wire.sent == ["m1", "m2"]
    async with cut.storage.transaction(runtime.now()) as tx:
        await relay.put(tx, [])
        assert await cut.storage.outbox.unsent(tx, runtime.now(), 10) == []
