"""A message that fails is set aside with its key; everything else moves on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.connections import Reader, Tx
from amends.errors import CommitUnknown, Conflict, Fenced, TryAgain, TryTransactionAgain, Unavailable, UnknownMessage
from amends.messages import Envelope, Kind, MessageId, SagaId
from amends.pages import Parked
from amends.signals import Field, Signals
from amends.stumbling import STUMBLED
from amends.testing.runtime import VirtualRuntime
from amends.worker import DEFER, Worker


def message(id: str, key: str, to: str = "hotel") -> Envelope:
    return Envelope(
        id=MessageId(id), kind=Kind.EVENT, type="T", to=to, key=key, at=0.0, payload=b"{}", saga=SagaId(key)
    )


class Bench:
    """A worker on a file, with a hop that fails for the ids in `broken`."""

    def __init__(self, folder: Path) -> None:
        self.runtime = VirtualRuntime()
        self.storage = SqliteStorage(folder / "hotel.db")
        self.broken: dict[str, Exception] = {}
        self.stumble = False
        self.done: list[str] = []
        self.batches: list[list[str]] = []
        self.signals: list[tuple[str, dict[str, Field]]] = []
        self.acknowledged: list[MessageId] = []
        self.restart()

    def restart(self) -> None:
        self.runtime.kill()
        self.transport = InProcess()
        signals = Signals()
        signals.listen(lambda name, fields: self.signals.append((name, fields)))
        subscription = self.transport.subscribe("hotel")
        self.worker = Worker(self.hop, "hotel", subscription, self.storage, self.runtime, signals)

    async def hop(self, batch: Sequence[Envelope]) -> None:
        self.batches.append([each.id for each in batch])
        for each in batch:
            if each.id in self.broken:
                raise self.broken.pop(each.id) if self.stumble else self.broken[each.id]
        self.done += [each.id for each in batch]

    async def bring(self, *messages: Envelope) -> None:
        self.transport.send(messages, self.acknowledged.extend)
        await self.runtime.settle()

    async def parked(self) -> list[Parked]:
        async with self.storage.reading() as reader:
            return await self.storage.parking.all(reader, 100)

    async def pass_time(self, seconds: float, leap_s: float = 0.05) -> None:
        end = self.runtime.now() + seconds
        while self.runtime.now() < end:
            await self.runtime.advance(leap_s, leap_s)
            await self.worker.retry_due()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    await bench.storage.migrate()
    await bench.worker.start()
    yield bench
    bench.runtime.kill()
    await bench.runtime.settle()
    await bench.storage.close()


async def test_poisoned_message_is_isolated_and_the_others_go_on(bench: Bench) -> None:
    bench.broken["m7"] = RuntimeError("boom")
    await bench.bring(*[message(f"m{number}", f"k{number}") for number in range(16)])

    assert sorted(bench.done) == sorted(f"m{number}" for number in range(16) if number != 7)
    assert [row.envelope.id for row in await bench.parked()] == ["m7"]
    assert len(bench.batches) == 9, "16, 8, 4, 2, 1 and the healthy halves"
    assert len(bench.acknowledged) == 16


async def test_later_messages_of_a_failed_key_wait_and_keep_their_order(bench: Bench) -> None:
    bench.broken["a1"] = RuntimeError("boom")
    await bench.bring(message("a1", "a"), message("a2", "a"), message("b1", "b"))
    await bench.bring(message("a3", "a"), message("b2", "b"))
    assert bench.done == ["b1", "b2"]

    del bench.broken["a1"]
    await bench.pass_time(30)
    assert bench.done == ["b1", "b2", "a1", "a2", "a3"]
    assert await bench.parked() == []


async def test_failed_message_is_tried_again_with_growing_pauses(bench: Bench) -> None:
    bench.broken["m"] = RuntimeError("boom")
    await bench.bring(message("m", "k"))
    dues = []
    for _ in range(6):
        [row] = await bench.parked()
        dues.append((row.retry_at or 0.0) - bench.runtime.now())
        bench.runtime.jump(dues[-1])
        await bench.worker.retry_due()
    assert all(0 <= pause <= DEFER.pause_s(attempt + 1, 1.0) for attempt, pause in enumerate(dues))
    assert max(dues) > 4 * min(dues)


async def test_message_is_parked_with_its_error_when_its_budget_is_spent(bench: Bench) -> None:
    bench.broken["m"] = RuntimeError("boom")
    await bench.bring(message("m", "k"))
    await bench.pass_time(120)
    [row] = await bench.parked()
    assert (row.retry_at, row.attempts, row.error) == (None, DEFER.attempts, "RuntimeError: boom")
    assert bench.signals[-1][0] == "message.parked"

    tries = len(bench.batches)
    await bench.pass_time(60)
    assert len(bench.batches) == tries


@pytest.mark.parametrize("error", [UnknownMessage("no handler"), msgspec.DecodeError("not JSON")], ids=str)
async def test_message_that_can_never_be_right_is_parked_at_once(bench: Bench, error: Exception) -> None:
    bench.broken["m"] = error
    await bench.bring(message("m", "k"))
    [row] = await bench.parked()
    assert (row.retry_at, row.attempts) == (None, 1)


async def test_handler_that_asks_for_another_try_gets_it_soon(bench: Bench) -> None:
    bench.broken["m"] = TryAgain("not yet")
    await bench.bring(message("m", "k"))
    [row] = await bench.parked()
    assert 0.05 <= (row.retry_at or 0.0) - bench.runtime.now() <= 0.1


async def test_handler_that_asks_for_another_try_is_asked_for_as_long_as_it_does(bench: Bench) -> None:
    bench.broken["m"] = TryAgain("not yet")
    await bench.bring(message("m", "k"))
    await bench.pass_time(600, leap_s=1.0)
    [row] = await bench.parked()
    assert row.attempts > 3 * DEFER.attempts
    assert bench.runtime.now() - row.parked_at > 0
    assert row.retry_at is not None
    bench.broken.clear()
    await bench.pass_time(DEFER.cap_s + 1)
    assert (bench.done, await bench.parked()) == (["m"], [])


async def test_parked_message_goes_on_when_a_person_wants_it(bench: Bench) -> None:
    bench.broken["m"] = UnknownMessage("no handler")
    await bench.bring(message("m", "k"), message("n", "k"))
    bench.broken.clear()
    await bench.worker.unpark(["m"])
    await bench.worker.retry_due()
    assert bench.done == ["m", "n"]


async def test_deferred_messages_go_on_after_a_restart(bench: Bench) -> None:
    bench.broken["a1"] = RuntimeError("boom")
    await bench.bring(message("a1", "a"), message("a2", "a"))
    bench.broken.clear()
    bench.restart()
    await bench.worker.start()
    await bench.bring(message("a3", "a"))
    assert bench.done == []
    await bench.pass_time(30)
    assert bench.done == ["a1", "a2", "a3"]


async def test_what_waited_behind_a_message_goes_on_after_a_crash_that_followed_it(bench: Bench) -> None:
    """The head of the key was handled and removed; the crash came before the next of its key was."""
    bench.broken["a1"] = RuntimeError("boom")
    await bench.bring(message("a1", "a"), message("a2", "a"))
    async with bench.storage.transaction(bench.runtime.now()) as tx:
        await bench.storage.parking.remove(tx, ["a1"])
    bench.restart()
    await bench.worker.start()
    await bench.pass_time(1)
    assert bench.done == ["a2"]


async def test_worker_leaves_what_was_parked_for_another_address_of_its_service(bench: Bench) -> None:
    row = Parked(message("r1", "a", to="hotel.coordinator"), "TryAgain: later", 1, bench.runtime.now(), 0.0)
    async with bench.storage.transaction(bench.runtime.now()) as tx:
        await bench.storage.parking.insert(tx, [row])
    bench.restart()
    await bench.worker.start()
    await bench.pass_time(30)
    assert bench.done == []
    assert [each.envelope.id for each in await bench.parked()] == ["r1"]


async def test_worker_outlives_a_storage_that_is_away_for_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(now: float) -> object:
        raise OSError("disk is away")

    with monkeypatch.context() as patch:
        patch.setattr(bench.storage, "transaction", away)
        bench.broken["m1"] = OSError("disk is away")
        await bench.bring(message("m1", "a"), message("m2", "b"))
        assert bench.acknowledged == []
        await bench.runtime.advance(60, 1.0)
    bench.broken.clear()
    await bench.runtime.advance(30, 1.0)
    assert set(bench.done) >= {"m1", "m2"}
    assert bench.acknowledged == ["m1", "m2"]


async def test_replaced_coordinator_neither_acknowledges_nor_parks(bench: Bench) -> None:
    bench.broken["m"] = Fenced("replaced")
    await bench.bring(message("m", "k"))
    assert (bench.acknowledged, await bench.parked()) == ([], [])
    assert bench.signals == [("worker.fenced", {"address": "hotel", "error": "Fenced: replaced"})]
    del bench.broken["m"]
    await bench.pass_time(1)
    assert bench.acknowledged == bench.done == ["m"]


@pytest.mark.parametrize(
    "error", [Conflict("a row"), TryTransactionAgain("deadlock")], ids=lambda each: type(each).__name__
)
async def test_batch_that_stumbles_over_another_transaction_is_tried_again_whole(
    bench: Bench, error: Exception
) -> None:
    bench.broken["m3"] = error
    bench.stumble = True
    await bench.bring(*[message(f"m{number}", f"k{number}") for number in range(8)])
    await bench.pass_time(1)
    assert [len(batch) for batch in bench.batches] == [8, 8]
    assert await bench.parked() == []


async def test_deferred_message_that_stumbles_over_another_transaction_spends_nothing(bench: Bench) -> None:
    bench.broken["m"] = RuntimeError("boom")
    await bench.bring(message("m", "k"))
    bench.stumble, bench.broken["m"] = True, TryTransactionAgain("deadlock")

    await bench.runtime.advance(DEFER.cap_s)
    trying = asyncio.create_task(bench.worker.retry_due())
    await bench.runtime.advance(STUMBLED.cap_s)
    await trying

    assert bench.batches == [["m"], ["m"], ["m"]], "the first try, and a second that begins anew at once"
    assert bench.done == ["m"]
    assert await bench.parked() == []


async def test_database_that_is_away_parks_nothing_and_halves_nothing(bench: Bench) -> None:
    bench.broken["m3"] = Unavailable("connection refused")
    await bench.bring(*[message(f"m{number}", f"k{number}") for number in range(8)])
    await bench.pass_time(1)
    assert {len(batch) for batch in bench.batches} == {8}
    del bench.broken["m3"]
    await bench.pass_time(30)
    assert (len(bench.done), await bench.parked()) == (8, [])


async def test_what_is_parked_is_looked_after_by_the_reader_of_its_shard(bench: Bench) -> None:
    bench.broken["m"] = UnknownMessage("no handler")
    await bench.bring(message("m", "k"))
    await bench.worker.lost([0])
    bench.broken.clear()
    async with bench.storage.transaction(bench.runtime.now()) as tx:
        [row] = await bench.storage.parking.all(tx, 10)
        await bench.storage.parking.update(tx, row._replace(retry_at=tx.now, attempts=0))
    await bench.pass_time(5)
    assert bench.done == []
    await bench.worker.gained([0])
    await bench.pass_time(5)
    assert bench.done == ["m"]


async def test_replaced_coordinator_does_not_spend_the_budget_of_a_deferred_message(bench: Bench) -> None:
    bench.broken["m"] = RuntimeError("boom")
    await bench.bring(message("m", "k"))
    before = await bench.parked()
    bench.broken["m"] = Fenced("replaced")
    with pytest.raises(Fenced):
        await bench.pass_time(60)
    assert await bench.parked() == before


async def test_stop_lets_the_present_hop_finish(bench: Bench) -> None:
    await bench.bring(message("m", "k"))
    bench.worker.stop()
    await bench.worker.stopped()
    await bench.bring(message("n", "k"))
    assert bench.done == ["m"]


async def test_parked_message_that_a_person_frees_from_outside_is_tried_again(bench: Bench) -> None:
    bench.broken["m"] = UnknownMessage("no handler")
    await bench.bring(message("m", "k"), message("n", "k"))
    [head, _] = await bench.parked()
    bench.broken.clear()
    async with bench.storage.transaction(bench.runtime.now()) as tx:
        await bench.storage.parking.update(tx, head._replace(retry_at=tx.now, attempts=0))
    await bench.pass_time(2)
    assert bench.done == ["m", "n"]
    assert await bench.parked() == []


async def test_parked_message_that_a_person_drops_lets_its_key_go_on(bench: Bench) -> None:
    bench.broken["m"] = UnknownMessage("no handler")
    await bench.bring(message("m", "k"), message("n", "k"))
    async with bench.storage.transaction(bench.runtime.now()) as tx:
        await bench.storage.parking.remove(tx, ["m"])
    await bench.pass_time(2)
    assert bench.done == ["n"]


async def test_deferred_message_outlives_a_database_that_can_not_be_read_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.broken["m1"] = RuntimeError("not now")
    await bench.bring(message("m1", "k"))
    reading = bench.storage.reading

    def away() -> object:
        monkeypatch.setattr(bench.storage, "reading", reading)
        raise Unavailable("the database is away")

    monkeypatch.setattr(bench.storage, "reading", away)
    await bench.runtime.advance(2.0)
    with pytest.raises(Unavailable):
        await bench.worker.retry_due()
    bench.broken.clear()
    await bench.pass_time(20.0, 1.0)
    assert bench.done == ["m1"]
    assert await bench.parked() == []


async def test_nothing_overtakes_a_deferred_message_while_the_table_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.broken["m1"] = RuntimeError("not now")
    await bench.bring(message("m1", "k"))
    go_on = bench.runtime.signal()
    reading = bench.storage.reading

    @asynccontextmanager
    async def slow() -> AsyncIterator[Reader]:
        async with reading() as reader:
            await go_on.wait()
            yield reader

    monkeypatch.setattr(bench.storage, "reading", slow)
    await bench.runtime.advance(2.0)
    looking = bench.runtime.spawn(bench.worker.retry_due(), "chore")
    await bench.bring(message("m2", "k"))
    bench.broken.clear()
    go_on.set()
    await bench.runtime.settle()
    await looking.join()
    monkeypatch.setattr(bench.storage, "reading", reading)
    await bench.pass_time(20.0, 1.0)
    assert bench.done == ["m1", "m2"]
    assert await bench.parked() == []


async def test_message_that_was_set_aside_unheard_does_not_stay_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction is committed, nobody hears of that; the next try of its batch works."""
    transaction = bench.storage.transaction

    @asynccontextmanager
    async def unheard(now: float) -> AsyncIterator[Tx]:
        async with transaction(now) as tx:
            yield tx
        monkeypatch.setattr(bench.storage, "transaction", transaction)
        bench.broken.clear()
        raise CommitUnknown("the connection was lost during the commit")

    bench.broken["m1"] = RuntimeError("not now")
    monkeypatch.setattr(bench.storage, "transaction", unheard)
    await bench.bring(message("m1", "k"))
    await bench.pass_time(20.0, 1.0)
    assert await bench.parked() == []
    assert bench.done == ["m1", "m1"]


async def test_table_that_is_read_while_a_message_is_set_aside_unheard_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    transaction = bench.storage.transaction

    @asynccontextmanager
    async def unheard(now: float) -> AsyncIterator[Tx]:
        async with transaction(now) as tx:
            yield tx
            await bench.worker.gained([])
        monkeypatch.setattr(bench.storage, "transaction", transaction)
        bench.broken.clear()
        raise CommitUnknown("the connection was lost during the commit")

    bench.broken["m1"] = RuntimeError("not now")
    monkeypatch.setattr(bench.storage, "transaction", unheard)
    await bench.bring(message("m1", "k"))
    await bench.pass_time(20.0, 1.0)
    assert await bench.parked() == []
