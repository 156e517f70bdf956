"""A commit whose answer the network loses: its messages leave once, and nothing of their keys overtakes them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from amends.adapters.postgres import PostgresStorage
from amends.conformance.fixtures import envelope
from amends.errors import CommitUnknown
from amends.messages import Envelope, MessageId
from amends.outbox import SWEEP_AFTER_S, UNSURE_AFTER_S, OutboxRelay
from amends.ports import Subscription, Taken
from amends.testing.runtime import VirtualRuntime
from tests.amends.adapters import on_postgres
from tests.simulation.without import unheard_commits_are_overtaken
from tools.servers import TcpProxy

pytestmark = pytest.mark.servers

dsn = on_postgres.dsn

# Who inserts into the outbox asks for the lock as it commits; a test that has it holds commits up.
HOLD = 4711
HOLDING = f"""
create function wait_at_commit() returns trigger language plpgsql as
$$ begin perform pg_advisory_xact_lock_shared({HOLD}); return null; end $$;
create constraint trigger wait_at_commit after insert on outbox
deferrable initially deferred for each row execute function wait_at_commit()
"""
committing = "select 1 from pg_locks where locktype = 'advisory' and not granted"
under_way = "select 1 from pg_stat_activity where datname = current_database() and state = 'active' and pid <> $1"
unsent = "select id from outbox order by id"


class Wire:
    """A transport that takes everything at once."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        self.sent += [each.id for each in envelopes]
        taken([each.id for each in envelopes])

    def subscribe(self, address: str, group: str = "") -> Subscription:
        raise AssertionError("nobody listens here")

    def shard_of(self, address: str, key: str) -> int:
        return 0


class Post:
    """A relay whose way to the database can be cut, and a connection that goes another way."""

    def __init__(self, dsn: str, proxy: TcpProxy, direct: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.proxy = proxy
        self.direct = direct
        self.runtime, self.wire = VirtualRuntime(), Wire()
        self.storage = PostgresStorage(dsn)
        self.relay = OutboxRelay(self.storage, self.wire, self.runtime)

    async def put(self, *ids: str) -> None:
        """The first letter of a message is its key."""
        async with self.storage.transaction(self.runtime.now()) as tx:
            await self.relay.put(tx, [envelope(id, key=id[0]) for id in ids])

    async def put_and_be_cut_off(self, *ids: str) -> None:
        """The server is at the commit, and is held there, when the wire breaks."""
        await self.direct.execute(f"select pg_advisory_lock({HOLD})")
        putting = asyncio.ensure_future(self.put(*ids))
        while not await self.direct.fetch(committing):
            assert not putting.done()
        await self.proxy.cut()
        with pytest.raises(CommitUnknown):
            await putting
        await self.proxy.heal()

    async def let_commit(self) -> None:
        """Returns when the server has done so."""
        await self.direct.execute(f"select pg_advisory_unlock({HOLD})")
        while await self.direct.fetch(under_way, self.direct.get_server_pid()):
            pass

    async def put_unheard(self, *ids: str) -> None:
        await self.put_and_be_cut_off(*ids)
        await self.let_commit()

    async def left(self) -> list[str]:
        return [row["id"] for row in await self.direct.fetch(unsent)]

    async def pass_time(self, seconds: float = 2 * SWEEP_AFTER_S) -> None:
        for _ in range(round(seconds / UNSURE_AFTER_S)):
            self.runtime.jump(UNSURE_AFTER_S)
            await self.relay.tidy()


@pytest.fixture
async def post(dsn: str) -> AsyncIterator[Post]:
    direct = await asyncpg.connect(dsn)
    address = dsn.rpartition("@")[2].partition("/")[0]
    proxy = TcpProxy(int(address.partition(":")[2]))
    await proxy.start()
    post = Post(dsn.replace(address, f"127.0.0.1:{proxy.port}"), proxy, direct)
    await post.storage.migrate()
    await direct.execute(HOLDING)
    await post.relay.tidy()
    yield post
    await post.storage.close()
    await proxy.stop()
    await direct.close()


async def test_next_message_of_the_key_follows_it(post: Post) -> None:
    await post.put_unheard("a1", "a2")
    await post.put("a3")
    assert post.wire.sent == ["a1", "a2", "a3"]


async def test_nothing_is_sent_again_nor_left(post: Post) -> None:
    await post.put_unheard("a1")
    await post.put_unheard("a2")
    await post.put("a3")
    await post.pass_time()
    assert (post.wire.sent, await post.left()) == (["a1", "a2", "a3"], [])


async def test_without_a_look_at_the_table_it_would_be_overtaken(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    unheard_commits_are_overtaken(monkeypatch)
    await post.put_unheard("a1")
    await post.put("a2")
    await post.pass_time()
    assert post.wire.sent == ["a2", "a1"]


async def test_other_keys_do_not_wait_for_it(post: Post) -> None:
    await post.put_unheard("a1")
    await post.put("b1")
    assert post.wire.sent == ["b1"]
    await post.pass_time(UNSURE_AFTER_S)
    assert post.wire.sent == ["b1", "a1"]


async def test_what_was_rolled_back_is_not_sent(post: Post) -> None:
    await post.put_and_be_cut_off("a1")
    await post.direct.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where wait_event = 'advisory'"
    )
    await post.let_commit()
    await post.put("a2")
    await post.pass_time()
    assert (post.wire.sent, await post.left()) == (["a2"], [])


async def test_commit_that_takes_longer_than_the_first_look_is_not_overtaken(post: Post) -> None:
    """Not to be seen yet is not rolled back: a server may wait for its standby or its disk."""
    await post.put_and_be_cut_off("a1")
    await post.pass_time(2 * UNSURE_AFTER_S)
    await post.let_commit()
    assert MessageId("a1") in await post.left()
    await post.put("a2")
    await post.pass_time()
    assert post.wire.sent == ["a1", "a2"]


async def test_transaction_of_a_server_that_was_replaced_is_not_asked_about(post: Post) -> None:
    """To ask for a number that this server has not given yet is an error."""
    post.storage.outbox._transactions[MessageId("a1")] = "99999999999"  # type: ignore[attr-defined]
    async with post.storage.reading() as reader:
        assert await post.storage.outbox.under_way(reader, [MessageId("a1")]) == {"a1"}
