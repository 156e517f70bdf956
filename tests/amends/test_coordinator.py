"""The coordinator's batches, timers, lease and bounds, on real files in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amends import Done, Saga, Tx, retriable
from amends.connections import Reader
from amends.coordinator import Begin, Coordinator
from amends.errors import CannotMend, Elsewhere, Fenced, Overloaded, UnknownVersion
from amends.mending import Action
from amends.messages import Envelope, Kind, MessageId, SagaId
from amends.pages import Change, Instance
from amends.state import ENDED, Phase, Status
from tests.amends.trips import (
    Agency,
    BookHotel,
    ChargeCard,
    Full,
    OnTrip,
    SendTickets,
    Trip,
    fail,
    refuse,
    send_tickets,
    trip_saga,
)


@pytest.fixture
async def agency(tmp_path: Path) -> AsyncIterator[Agency]:
    agency = await Agency(tmp_path).open()
    yield agency
    await agency.close()


def coordinator_of(agency: Agency) -> Coordinator:
    found = agency.services["trips"].coordinator
    assert found is not None
    return found


async def test_saga_is_completed_and_each_effect_happened_once(agency: Agency) -> None:
    [saga] = await agency.run("t1")
    assert saga.state.status is Status.COMPLETED
    assert await agency.effects("t1") == ["BookHotel", "BookFlight", "ChargeCard", "SendTickets"]


async def test_refusal_undoes_what_was_done_and_says_why(agency: Agency) -> None:
    agency.behave[ChargeCard] = refuse(Full())
    [saga] = await agency.run("t1")
    assert (saga.state.status, saga.state.cause) == (Status.COMPENSATED, "full")
    assert await agency.effects("t1") == ["CloseTrip", "BookHotel", "CancelHotel", "BookFlight", "CancelFlight"]


async def test_start_beyond_the_bound_is_refused_until_sagas_end(tmp_path: Path) -> None:
    agency = await Agency(tmp_path, limit=3).open()
    await agency.start("t1", "t2")
    with pytest.raises(Overloaded) as overload:
        await agency.start("t3", "t4")
    assert overload.value.retry_after_s > 0
    await agency.ended("t1", "t2")
    await agency.run("t3", "t4")
    assert coordinator_of(agency).in_flight == 0
    await agency.close()


async def test_rolled_back_start_counts_for_nothing(agency: Agency) -> None:
    coordinator, storage = coordinator_of(agency), agency.services["trips"].storage

    async def start_and_fail() -> None:
        async with storage.transaction(agency.runtime.now()) as tx:
            await coordinator.start(tx, agency.saga, [Begin(SagaId("t1"), Trip("t1"))])
            raise LookupError("the caller changed its mind")

    with pytest.raises(LookupError):
        await start_and_fail()
    await agency.runtime.settle()
    assert (coordinator.in_flight, await agency.effects()) == (0, [])


async def test_restart_asks_anew_whatever_is_in_flight(agency: Agency) -> None:
    agency.behave[SendTickets] = fail()
    await agency.start("t1", "t2")
    await agency.runtime.settle()
    agency.behave.clear()
    await agency.restart()
    assert [saga.state.status for saga in await agency.ended("t1", "t2")] == [Status.COMPLETED] * 2
    assert sorted(await agency.effects("t1")) == ["BookFlight", "BookHotel", "ChargeCard", "SendTickets"]


async def test_unknown_version_of_sagas_in_flight_is_refused_by_name(agency: Agency) -> None:
    agency.behave[SendTickets] = fail()
    await agency.start("t1")
    await agency.runtime.settle()
    await agency.crash()
    agency.saga = Saga("book-trip", Trip, retriable("tickets", send_tickets))
    with pytest.raises(UnknownVersion, match=r"1 sagas .* t1 \(book-trip [0-9a-f]{12}\)"):
        await agency.open()


async def test_both_versions_of_a_definition_run_beside_each_other(agency: Agency) -> None:
    agency.behave[SendTickets] = fail()
    await agency.start("t1")
    await agency.runtime.settle()
    await agency.crash()
    agency.behave.clear()
    newer = Saga("book-trip", Trip, retriable("tickets", send_tickets))
    await agency.open_room("hotel")
    await agency.open_room("flight")
    await agency.open_room("bank")
    await agency.open_room("post")
    await agency.open_room("trips", [newer, agency.saga])
    [old] = await agency.ended("t1")
    assert (old.version, old.state.status) == (agency.saga.version, Status.COMPLETED)


async def test_late_reply_for_an_ended_saga_of_a_forgotten_definition_is_ignored(agency: Agency) -> None:
    await agency.run("t1")
    await agency.crash()
    agency.saga = Saga("book-train", Trip, retriable("tickets", send_tickets))
    await agency.open()
    late = reply("t1", "tickets")
    await coordinator_of(agency).hop([late])
    [saga] = await agency.sagas("t1")
    assert saga.state.status is Status.COMPLETED


async def test_command_that_comes_to_the_coordinator_is_parked_and_no_answer(agency: Agency) -> None:
    agency.behave[SendTickets] = fail()
    await agency.start("t1")
    await agency.runtime.settle()
    [before] = await agency.sagas("t1")
    command = msgspec.structs.replace(reply("t1", "tickets"), kind=Kind.COMMAND)
    agency.transport.send([command], lambda ids: None)
    await agency.runtime.settle()
    [after] = await agency.sagas("t1")
    assert after.state.steps == before.state.steps
    storage = agency.services["trips"].storage
    async with storage.reading() as reader:
        [parked] = await storage.parking.all(reader, 10)
    assert parked.retry_at is None
    assert "takes replies, not the command" in parked.error


async def test_sagas_whose_timers_fail_neither_spin_nor_hold_up_the_others(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [f"a{number:03}" for number in range(260)]
    agency.behave[SendTickets] = fail()
    await agency.start(*broken)
    await agency.start("z")
    await agency.runtime.settle()
    coordinator = coordinator_of(agency)
    held = Coordinator._held

    def failing(self: Coordinator, instance: object, now: float) -> object:
        if instance.id in broken:  # type: ignore[attr-defined]
            raise RuntimeError("this saga's command can't be built")
        return held(self, instance, now)  # type: ignore[arg-type]

    monkeypatch.setattr(Coordinator, "_held", failing)
    agency.runtime.jump(60)
    for _ in range(3):
        await coordinator.expire()
    [saga] = await agency.sagas("z")
    assert saga.state.steps[-1].attempts > 1
    assert len(agency.heard("saga.failed")) >= 260


async def test_frozen_coordinator_is_fenced_when_it_wakes(agency: Agency) -> None:
    zombie = coordinator_of(agency)
    storage = agency.services["trips"].storage
    successor = await Agency(agency.folder).open()
    with pytest.raises(Fenced):
        async with storage.transaction(agency.runtime.now()) as tx:
            await zombie.start(tx, agency.saga, [Begin(SagaId("t1"), Trip("t1"))])
    with pytest.raises(Elsewhere):
        zombie.new_id()
    await successor.start("t2")
    before = await successor.every_saga()
    await zombie.hop([reply("t2", "hotel")])
    with pytest.raises(Elsewhere):
        async with storage.transaction(agency.runtime.now()) as tx:
            await zombie.decide(tx, SagaId("t2"), lambda *_: pytest.fail("decided"))
    assert await successor.every_saga() == before
    await successor.close()


async def test_shard_that_was_taken_by_mistake_is_taken_back(agency: Agency) -> None:
    """Another process was slow to take it over: it does so when the shard has been given to this one already."""
    agency.behave[BookHotel] = fail()
    await agency.start("t1")
    coordinator, storage = coordinator_of(agency), agency.services["trips"].storage
    async with storage.transaction(agency.runtime.now()) as tx:
        await coordinator.shards.acquire(tx, [0], "somebody slow")
    agency.behave.clear()
    [saga] = await agency.ended("t1", within_s=60)
    assert saga.state.status in ENDED
    assert coordinator.new_id()


async def test_process_that_hears_late_that_its_shard_has_gone_does_not_take_it_back(agency: Agency) -> None:
    zombie = coordinator_of(agency)
    successor = await Agency(agency.folder).open()
    with pytest.raises(Fenced):
        async with agency.services["trips"].storage.transaction(agency.runtime.now()) as tx:
            await zombie.start(tx, agency.saga, [Begin(SagaId("t1"), Trip("t1"))])
    await agency.runtime.advance(2.0)
    await zombie.lost([0])
    await agency.runtime.advance(60.0, 1.0)
    with pytest.raises(Elsewhere):
        zombie.new_id()
    await successor.run("t2")
    await successor.close()


class LosesItsShard:
    """A transaction in whose course another process is given the shard."""

    def __init__(self, tx: Tx, coordinator: Coordinator) -> None:
        self._tx = tx
        self._coordinator = coordinator

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("fetch", "lock", "run")):
            self._coordinator.shards.lose([0])
        return getattr(self._tx, name)


async def test_shard_that_goes_in_the_middle_of_a_transaction_goes_after_it(agency: Agency) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1")
    trips, coordinator = agency.services["trips"], coordinator_of(agency)
    assert trips.operator is not None
    async with trips.storage.transaction(agency.runtime.now()) as tx:
        losing: Any = LosesItsShard(tx, coordinator)
        moved = await trips.operator.mend_in(losing, SagaId("t1"), Action.CANCEL, "ann", "changed her mind")
    assert moved.state.backward
    [stored] = await agency.sagas("t1")
    assert stored.state.backward
    assert coordinator.in_flight == 0


async def test_operator_actions_are_recorded_with_who_and_why(agency: Agency) -> None:
    agency.behave[SendTickets] = fail()
    [stuck] = await agency.run("t1")
    assert stuck.state.status is Status.STUCK
    trips = agency.services["trips"]
    assert trips.operator is not None
    await trips.operator.mend(SagaId("t1"), Action.SKIP, "ann", "sent by hand")
    [saga] = await agency.sagas("t1")
    assert (saga.state.status, saga.state.steps[-1].phase) == (Status.COMPLETED, Phase.SKIPPED)
    async with trips.storage.reading() as reader:
        [mend] = await trips.storage.mends.of_saga(reader, SagaId("t1"))
    assert (mend.who, mend.why, mend.action, mend.result) == ("ann", "sent by hand", "skip", "done")


async def test_impossible_action_is_refused_with_its_cause(agency: Agency) -> None:
    await agency.run("t1")
    operator = agency.services["trips"].operator
    assert operator is not None
    with pytest.raises(CannotMend, match="completed"):
        await operator.mend(SagaId("t1"), Action.CANCEL, "ann", "why not")
    with pytest.raises(LookupError):
        await operator.mend(SagaId("nobody"), Action.CANCEL, "ann", "why not")


async def test_cancel_before_the_commit_undoes_everything(agency: Agency) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1")
    await agency.runtime.settle()
    operator = agency.services["trips"].operator
    assert operator is not None
    await operator.mend(SagaId("t1"), Action.CANCEL, "ann", "changed my mind")
    agency.behave.clear()
    [saga] = await agency.ended("t1")
    assert (saga.state.status, saga.state.cause) == (Status.COMPENSATED, "cancelled")
    assert (await agency.effects("t1")).count("CloseTrip") == 1


async def test_sagas_that_time_out_together_come_back_spread_out(tmp_path: Path) -> None:
    agency = await Agency(tmp_path, saga=trip_saga()).open()
    agency.behave[SendTickets] = fail()
    trips = [f"t{number}" for number in range(5)]
    await agency.start(*trips)
    await agency.runtime.settle()
    agency.runtime.jump(3)
    await coordinator_of(agency).expire()
    dues = {saga.state.steps[-1].due for saga in await agency.sagas(*trips)}
    assert len(dues) == len(trips), "one roll for a whole batch keeps its sagas together for ever"
    await agency.close()


def reply(trip: str, step: str) -> Envelope:
    return Envelope(
        id=MessageId(f"late-{trip}-{step}"),
        kind=Kind.REPLY,
        type="Done",
        to="trips.coordinator",
        key=trip,
        at=0.0,
        payload=b"{}",
        saga=SagaId(trip),
        step=step,
        attempt=1,
        sender="post",
    )


async def test_sagas_in_flight_are_not_read_again(agency: Agency) -> None:
    """Nobody else writes them: what was written last is remembered."""
    sagas = agency.services["trips"].storage.sagas
    read: list[Sequence[SagaId]] = []
    load = sagas.load

    async def noted(tx: Reader, ids: Sequence[SagaId]) -> dict[SagaId, Instance]:
        read.append(ids)
        return await load(tx, ids)

    sagas.load = noted  # type: ignore[method-assign]
    await agency.start("t1")
    await agency.runtime.settle()
    assert coordinator_of(agency).in_flight == 0
    assert read == []


async def test_saga_that_somebody_else_has_written_is_read_again(agency: Agency) -> None:
    """Whoever it was: the guard of the revision tells, and what is remembered is given up."""
    hold = asyncio.Event()

    async def wait(tx: Tx, asked: OnTrip) -> Done:
        await hold.wait()
        return Done()

    agency.behave[ChargeCard] = wait
    await agency.start("t1")
    await agency.runtime.settle()
    [before] = await agency.sagas("t1")
    storage = agency.services["trips"].storage
    async with storage.transaction(agency.runtime.now()) as tx:
        await storage.sagas.save(tx, [Change(before, before.moved(before.state, before.wake_at))])
    hold.set()
    [saga] = await agency.ended("t1")
    assert saga.state.status is Status.COMPLETED
    assert await agency.effects("t1") == ["BookHotel", "BookFlight", "ChargeCard", "SendTickets"]
