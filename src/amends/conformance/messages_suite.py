"""The pages `outbox` and `inbox`."""

from collections.abc import Sequence

import pytest

from amends.conformance.fixtures import NOW, OpenStorage, envelope
from amends.errors import Conflict
from amends.messages import Envelope, MessageId, Operation, Outcome
from amends.pages import Backlog, BarrierKey, BarrierRow, Seen
from amends.ports import Storage

ACTION, COMPENSATION = Operation.ACTION, Operation.COMPENSATION
DONE = BarrierRow(Outcome.DONE, "Booked", b'{"room":12}')
REFUSED = BarrierRow(Outcome.REFUSED, "Full", b"{}")


async def put(storage: Storage, *envelopes: Envelope, now: float = NOW) -> None:
    async with storage.transaction(now) as tx:
        await storage.outbox.insert(tx, envelopes)


async def unsent(storage: Storage, before: float = NOW, limit: int = 100) -> Sequence[Envelope]:
    async with storage.reading() as reader:
        return await storage.outbox.unsent(reader, before, limit)


class TestOutbox:
    async def test_message_comes_back_as_it_was_put_in(self, storage: Storage) -> None:
        await put(storage, envelope("m1"), envelope("m2", key="other"))
        assert await unsent(storage) == [envelope("m1"), envelope("m2", key="other")]

    async def test_messages_come_in_the_order_in_which_they_were_put_in(self, storage: Storage) -> None:
        await put(storage, envelope("m1"), envelope("m2"))
        await put(storage, envelope("m3"))
        await put(storage, envelope("m4"), envelope("m5"))
        assert [each.id for each in await unsent(storage)] == ["m1", "m2", "m3", "m4", "m5"]
        assert [each.id for each in await unsent(storage, limit=3)] == ["m1", "m2", "m3"]

    async def test_messages_that_were_just_put_in_are_left_to_who_did(self, storage: Storage) -> None:
        await put(storage, envelope("m1", at=NOW - 10), now=NOW - 10)
        await put(storage, envelope("m2"))
        assert [each.id for each in await unsent(storage, before=NOW - 10)] == ["m1"]

    async def test_claimed_messages_are_its_senders_for_a_while(self, storage: Storage) -> None:
        await put(storage, envelope("m1"), envelope("m2"))
        async with storage.transaction(NOW + 60) as tx:
            assert [each.id for each in await storage.outbox.claim(tx, NOW, 100)] == ["m1", "m2"]
            await storage.outbox.remove(tx, [MessageId("m1")])
        async with storage.transaction(NOW + 120) as tx:
            assert [each.id for each in await storage.outbox.claim(tx, NOW + 60, 100)] == ["m2"]

    async def test_some_are_put_in_and_others_removed_at_once(self, storage: Storage) -> None:
        await put(storage, envelope("m1"))
        await put(storage, envelope("m2"), envelope("m3"))
        async with storage.transaction(NOW) as tx:
            await storage.outbox.insert(tx, [envelope("m4")], [MessageId("m1"), MessageId("m2")])
        assert [each.id for each in await unsent(storage)] == ["m3", "m4"]
        async with storage.transaction(NOW) as tx:
            await storage.outbox.insert(tx, [envelope("m5")], [MessageId("m3"), MessageId("never seen")])
        assert [each.id for each in await unsent(storage)] == ["m4", "m5"]

    async def test_backlog_says_when_the_oldest_message_was_put_in(self, storage: Storage) -> None:
        async with storage.reading() as reader:
            assert await storage.outbox.backlog(reader) == Backlog(0, None)
        await put(storage, envelope("m2"), now=NOW - 10)
        await put(storage, envelope("m1"))
        async with storage.reading() as reader:
            assert await storage.outbox.backlog(reader) == Backlog(2, NOW - 10)
        async with storage.transaction(NOW + 60) as tx:
            await storage.outbox.claim(tx, NOW, 100)
            assert await storage.outbox.backlog(tx) == Backlog(2, NOW - 10)
        async with storage.transaction(NOW) as tx:
            await storage.outbox.remove(tx, [MessageId("m2")])
            assert await storage.outbox.backlog(tx) == Backlog(1, NOW)

    async def test_what_a_transaction_put_in_is_found_by_its_first_message(self, storage: Storage) -> None:
        await put(storage, envelope("m1"), envelope("m2"))
        await put(storage, envelope("m3"))
        await put(storage, envelope("m4"))
        async with storage.transaction(NOW) as tx:
            await storage.outbox.remove(tx, [MessageId("m1")])
        async with storage.reading() as reader:
            left = await storage.outbox.left_of(reader, [MessageId("m1"), MessageId("m4"), MessageId("never there")])
            assert [each.id for each in left] == ["m2", "m4"]
            assert await storage.outbox.under_way(reader, [MessageId("m1"), MessageId("never there")]) == set()

    async def test_removed_message_is_gone_the_others_stay(self, storage: Storage) -> None:
        await put(storage, envelope("m1"), envelope("m2"))
        await put(storage, envelope("m3"))
        async with storage.transaction(NOW) as tx:
            await storage.outbox.remove(tx, [MessageId("m1"), MessageId("m3"), MessageId("never seen")])
        assert [each.id for each in await unsent(storage)] == ["m2"]

    async def test_removal_that_was_rolled_back_did_not_happen(self, storage: Storage) -> None:
        await put(storage, envelope("m1"))

        async def remove_and_fail() -> None:
            async with storage.transaction(NOW) as tx:
                await storage.outbox.remove(tx, [MessageId("m1")])
                raise LookupError

        with pytest.raises(LookupError):
            await remove_and_fail()
        assert [each.id for each in await unsent(storage)] == ["m1"]
        async with storage.transaction(NOW) as tx:
            await storage.outbox.remove(tx, [MessageId("m1")])
        assert await unsent(storage) == []

    async def test_messages_of_a_process_that_is_gone_can_be_sent_and_removed(self, open_storage: OpenStorage) -> None:
        first = await open_storage(())
        await first.migrate()
        await put(first, envelope("m1"), envelope("m2"))
        await first.close()
        second = await open_storage(())
        assert [each.id for each in await unsent(second)] == ["m1", "m2"]
        async with second.transaction(NOW) as tx:
            await second.outbox.remove(tx, [MessageId("m1"), MessageId("m2")])
        assert await unsent(second) == []
        await second.close()


def key(saga: str = "s1", step: str = "book", operation: Operation = ACTION) -> BarrierKey:
    return BarrierKey(saga, step, operation)


async def insert(storage: Storage, *rows: tuple[BarrierKey, BarrierRow]) -> None:
    async with storage.transaction(NOW) as tx:
        await storage.inbox.insert(tx, rows)


async def known(storage: Storage, *sagas: str) -> dict[BarrierKey, BarrierRow]:
    async with storage.reading() as reader:
        return await storage.inbox.known(reader, sagas)


class TestInbox:
    async def test_rows_of_the_sagas_asked_for_come_back(self, storage: Storage) -> None:
        mine = {key(): DONE, key(operation=COMPENSATION): REFUSED, key("s2"): REFUSED}
        await insert(storage, *mine.items(), (key("s3"), DONE))
        assert await known(storage, "s1", "s2", "s1", "nobody") == mine

    async def test_operation_that_is_there_already_is_a_conflict(self, storage: Storage) -> None:
        await insert(storage, (key(), DONE))
        with pytest.raises(Conflict):
            await insert(storage, (key("s2"), DONE), (key(), REFUSED))
        assert await known(storage, "s1", "s2") == {key(): DONE}

    async def test_row_is_replaced(self, storage: Storage) -> None:
        await insert(storage, (key(), REFUSED), (key("s2"), REFUSED))
        async with storage.transaction(NOW) as tx:
            await storage.inbox.replace(tx, [(key(), DONE)])
        assert await known(storage, "s1", "s2") == {key(): DONE, key("s2"): REFUSED}

    async def test_pending_operation_keeps_its_command_until_it_is_answered(self, storage: Storage) -> None:
        pending = BarrierRow(None, "", b"", envelope("m1"))
        await insert(storage, (key(), pending))
        row = (await known(storage, "s1"))[key()]
        assert (row.outcome, row.ask) == (None, envelope("m1"))
        async with storage.transaction(NOW) as tx:
            await storage.inbox.replace(tx, [(key(), DONE)])
        assert await known(storage, "s1") == {key(): DONE}

    async def test_epochs_only_grow(self, storage: Storage) -> None:
        async with storage.transaction(NOW) as tx:
            assert await storage.inbox.seen(tx, ["a"], []) == Seen({}, {})
            for epoch in (3, 5, 4):
                await storage.inbox.raise_epochs(tx, {"a": epoch, "b": 1})
        async with storage.transaction(NOW) as tx:
            assert await storage.inbox.seen(tx, ["a", "b", "nobody"], []) == Seen({"a": 5, "b": 1}, {})

    async def test_epochs_and_operations_are_seen_together(self, storage: Storage) -> None:
        pending = BarrierRow(None, "", b"", envelope("m1"))
        mine = {key(): DONE, key(operation=COMPENSATION): REFUSED, key("s2"): pending}
        await insert(storage, *mine.items(), (key("s3"), DONE))
        async with storage.transaction(NOW) as tx:
            await storage.inbox.raise_epochs(tx, {"a": 3, "b": 4, "c": 5})
            assert await storage.inbox.seen(tx, ["b", "a"], ["s2", "s1", "s2"]) == Seen({"a": 3, "b": 4}, mine)
            assert await storage.inbox.seen(tx, [], ["s3"]) == Seen({}, {key("s3"): DONE})
            assert await storage.inbox.seen(tx, ["c", "a\0"], ["s\0"]) == Seen({"c": 5}, {})
