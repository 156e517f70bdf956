"""What is in the outbox leaves: once when all goes well, at least once whatever crashes."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.messages import Envelope, Kind, MessageId
from amends.outbox import OutboxRelay
from amends.ports import Subscription, Taken
from amends.testing.runtime import VirtualRuntime
from tests.amends.trips import Agency


class Wire:
    """A transport of which the test says when a message is taken."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.takers: list[Taken] = []

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        self.sent += [each.id for each in envelopes]
        self.takers += [taken] * len(envelopes)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        raise AssertionError("nobody listens here")

    def shard_of(self, address: str, key: str) -> int:
        return 0

    def take(self, *ids: str) -> None:
        for id in ids:
            self.takers[self.sent.index(id)]([MessageId(id)])


class Post:
    def __init__(self, folder: Path) -> None:
        self.runtime = VirtualRuntime()
        self.path = folder / "post.db"
        self.restart()

    def restart(self) -> None:
        self.wire = Wire()
        self.storage = SqliteStorage(self.path)
        self.relay = OutboxRelay(self.storage, self.wire, self.runtime)

    async def put(self, *ids: str) -> None:
        async with self.storage.transaction(self.runtime.now()) as tx:
            await self.relay.put(tx, [self.message(id) for id in ids])

    async def put_and_fail(self, *ids: str) -> None:
        async with self.storage.transaction(self.runtime.now()) as tx:
            await self.relay.put(tx, [self.message(id) for id in ids])
            await tx.run("insert into no_such_table values (1)")

    async def left(self) -> list[str]:
        """What a process that starts now would find."""
        fresh = SqliteStorage(self.path)
        async with fresh.reading() as reader:
            found = await fresh.outbox.unsent(reader, self.runtime.now(), 10_000)
        await fresh.close()
        return [each.id for each in found]

    def message(self, id: str) -> Envelope:
        now = self.runtime.now()
        return Envelope(id=MessageId(id), kind=Kind.EVENT, type="T", to="a", key="k", at=now, payload=b"{}")


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    post = Post(tmp_path)
    await post.storage.migrate()
    yield post
    await post.storage.close()


async def test_message_leaves_with_the_commit_and_not_before(post: Post) -> None:
    async with post.storage.transaction(post.runtime.now()) as tx:
        await post.relay.put(tx, [post.message("m1")])
        assert post.wire.sent == []
    assert post.wire.sent == ["m1"]


async def test_message_of_a_rolled_back_transaction_never_leaves(post: Post) -> None:
    with pytest.raises(apsw.SQLError):
        await post.put_and_fail("m1")
    assert (post.wire.sent, await post.left()) == ([], [])


async def test_row_is_gone_once_its_message_is_taken(post: Post) -> None:
    await post.put("m1", "m2")
    assert await post.left() == ["m1", "m2"]
    post.wire.take("m1", "m2")
    await post.relay.tidy()
    assert await post.left() == []


async def test_row_stays_until_every_message_of_it_is_taken(post: Post) -> None:
    await post.put("m1", "m2")
    post.wire.take("m1")
    await post.relay.tidy()
    assert "m2" in await post.left()
    assert "m2" not in post.wire.sent[2:]


async def test_taken_message_is_forgotten_even_when_the_transaction_that_did_so_is_rolled_back(post: Post) -> None:
    await post.put("m1")
    post.wire.take("m1")
    with pytest.raises(apsw.SQLError):
        await post.put_and_fail()
    assert await post.left() == ["m1"]
    await post.put("m2")
    assert await post.left() == ["m2"]


async def test_several_puts_in_one_transaction_forget_only_what_was_removed(post: Post) -> None:
    await post.put("m1")
    await post.put("m2")
    await post.put("m3")
    post.wire.take("m1")
    async with post.storage.transaction(post.runtime.now()) as tx:
        await post.relay.put(tx, [])
        await post.relay.put(tx, [])
        post.wire.take("m2", "m3")
    await post.put("m4")
    assert await post.left() == ["m4"]


async def test_crash_between_commit_and_send_loses_nothing(post: Post) -> None:
    await post.put("m1", "m2")
    await post.storage.close()
    post.restart()
    assert await post.relay.sweep(everything=True) == 2
    assert post.wire.sent == ["m1", "m2"]


async def test_start_sends_everything_that_is_left_in_order(post: Post) -> None:
    ids = [f"m{number:04}" for number in range(1_200)]
    for first in range(0, 1_200, 100):
        await post.put(*ids[first : first + 100])
    await post.storage.close()
    post.restart()
    await post.relay.sweep(everything=True)
    assert post.wire.sent == ids


async def test_message_that_the_transport_swallowed_is_sent_again_after_a_while(post: Post) -> None:
    await post.put("m1")
    await post.relay.tidy()
    assert post.wire.sent == ["m1"]
    post.runtime.jump(120)
    await post.relay.tidy()
    assert post.wire.sent == ["m1", "m1"]


async def test_outboxes_are_empty_when_all_sagas_have_ended(tmp_path: Path) -> None:
    agency = await Agency(tmp_path).open()
    await agency.run(*[f"t{number}" for number in range(20)])
    await agency.runtime.advance(1.0)
    for service in agency.services.values():
        fresh = SqliteStorage(tmp_path / f"{service.name}.db")
        async with fresh.reading() as reader:
            assert await fresh.outbox.unsent(reader, agency.runtime.now() + 1, 100) == []
        await fresh.close()
    await agency.close()


async def test_what_another_process_left_is_sent_when_its_shard_comes_here(post: Post) -> None:
    await post.relay.sweep(everything=True)
    post.runtime.jump(60)
    other = SqliteStorage(post.path)
    async with other.transaction(post.runtime.now()) as tx:
        await other.outbox.insert(tx, [post.message("left")])
    await other.close()
    await post.relay.take_over()
    assert post.wire.sent == ["left"]


async def test_shards_that_come_together_are_taken_over_once(post: Post) -> None:
    await post.put("m1")
    post.runtime.jump(60)
    for _ in range(3):
        await post.relay.take_over()
    assert post.wire.sent == ["m1", "m1"]
