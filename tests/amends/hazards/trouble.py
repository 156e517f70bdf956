"""Scenarios of the first table of hazards: participants that fail, sagas that hinder each other."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from amends import Saga, retriable
from amends.connections import Tx
from amends.errors import Conflict, UnknownVersion
from amends.mending import Action
from amends.messages import Operation, SagaId
from amends.pages import Change, Sagas
from amends.retry import Retry
from amends.state import Phase, Status
from tests.amends.hazards.worlds import UNDONE, command, reply_of, world
from tests.amends.trips import (
    BookFlight,
    BookHotel,
    CancelHotel,
    ChargeCard,
    Declined,
    Full,
    SendTickets,
    Trip,
    fail,
    refuse,
    send_tickets,
    trip_saga,
)


async def compensation_that_keeps_failing(folder: Path, twice: bool) -> None:
    """It is stuck and says so; the other undos go on; a person's retry finishes it."""
    async with world(folder, twice) as (agency, _):
        agency.behave[ChargeCard] = refuse(Declined())
        agency.behave[CancelHotel] = refuse(Full())
        [saga] = await agency.run("t1")
        assert saga.state.status is Status.STUCK, "a failed compensation was reported as something else"
        assert [each.phase for each in saga.state.steps[:3]] == [Phase.UNDONE, Phase.STUCK, Phase.UNDONE]
        agency.behave.clear()
        operator = agency.services["trips"].operator
        assert operator is not None
        await operator.mend(SagaId("t1"), Action.RETRY, "ann", "the hotel is back")
        [saga] = await agency.ended("t1")
        assert saga.state.status is Status.COMPENSATED
        assert sorted(await agency.effects("t1")) == sorted(UNDONE)


async def outage_of_one_participant(folder: Path, twice: bool) -> None:
    """The post is away for ten minutes: thirty sagas wait, spend nothing, and end when it is back."""
    trips = [f"t{number:02}" for number in range(30)]
    async with world(folder, twice) as (agency, faults):
        faults.hold = command("SendTickets")
        await agency.start(*trips)
        await agency.runtime.advance(600, 1.0)
        sagas = await agency.sagas(*trips)
        assert {saga.state.status for saga in sagas} == {Status.RUNNING}, "an outage spent the budgets"
        asked = len({each.id for each, _ in faults.holding.held})
        assert asked <= 2 * len(trips) + 30, f"{asked} asks: a participant that is away is probed, not flooded"
        faults.holding.heal()
        await agency.ended(*trips, within_s=120)
        assert {saga.state.status for saga in await agency.sagas(*trips)} == {Status.COMPLETED}


async def retries_come_back_spread_out(folder: Path, twice: bool) -> None:
    """Twenty sagas time out in the same hop: their next tries are spread over the whole pause."""
    trips = [f"t{number:02}" for number in range(20)]
    saga = trip_saga(undo_retry=Retry(attempts=9, base_s=4.0, cap_s=4.0))
    async with world(folder, twice, saga) as (agency, faults):
        faults.hold = command("SendTickets")
        await agency.start(*trips)
        await agency.runtime.advance(2.1)
        dues = sorted(saga.state.steps[-1].due or 0.0 for saga in await agency.sagas(*trips))
        assert len(set(dues)) == len(trips)
        assert dues[-1] - dues[0] > 2.0, "the sagas come back together"


async def parallel_group_refused(folder: Path, twice: bool) -> None:
    """Nothing new is sent, what is in flight settles first, then the undo goes in reverse."""
    async with world(folder, twice) as (agency, faults):
        agency.behave[BookFlight] = refuse(Full())
        faults.hold = reply_of("hotel")
        await agency.start("t1")
        await agency.runtime.settle()
        assert not faults.sent("CancelHotel"), "undone before it was settled"
        assert not faults.sent("CloseTrip"), "an earlier group was undone before a later one was settled"
        faults.holding.heal()
        await agency.ended("t1")
        agency.behave = {ChargeCard: refuse(Declined())}
        await agency.run("t2")
        undos = [each.type for each in faults.recording.sent if each.operation is Operation.COMPENSATION]
        commands = [type for type in undos if type.startswith(("hotel.", "flight.", "trips."))]
        assert commands == ["hotel.CancelHotel", "trips.CloseTrip", "flight.CancelFlight", *commands[:2]]


async def definition_changed(folder: Path, twice: bool) -> None:
    """A program without the definition that an instance began with does not start."""
    async with world(folder, twice) as (agency, _):
        agency.behave[SendTickets] = fail()
        await agency.start("t1")
        await agency.runtime.settle()
        await agency.crash()
        agency.saga = Saga("book-trip", Trip, retriable("tickets", send_tickets))
        with pytest.raises(UnknownVersion, match="t1"):
            await agency.open()


async def poisoned_message(folder: Path, twice: bool) -> None:
    """One of sixteen in a batch breaks its handler: the others are done at once, it is parked in the end."""
    trips = [f"t{number:02}" for number in range(16)]
    async with world(folder, twice) as (agency, _):
        agency.behave[BookHotel] = fail(trips=["t07"])
        await agency.start(*trips)
        await agency.runtime.settle()
        done = await agency.sagas(*trips)
        others = {saga.state.status for saga in done if saga.id != "t07"}
        assert others == {Status.COMPLETED}, "a poisoned message held up others"
        for number in range(30):
            await agency.run(f"u{number}")
            await agency.runtime.advance(1.0)
        [poisoned] = await agency.sagas("t07")
        assert "BookHotel" not in await agency.effects("t07")
        assert poisoned.state.status is Status.STUCK, "what can't be undone needs a person"
        parked = agency.services["hotel"].storage
        async with parked.reading() as reader:
            rows = await parked.parking.all(reader, 100)
        assert rows[0].envelope.type == "hotel.BookHotel"
        assert rows[0].error.startswith("RuntimeError")
        assert {row.envelope.key for row in rows} == {"t07"}
        assert [row.attempts for row in rows[1:]] == [0] * (len(rows) - 1), "its key's later messages overtook it"


async def lost_update_between_writers(folder: Path, twice: bool) -> None:
    """Two decisions on the same revision: the second is refused."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = lambda _: True
        await agency.start("t1")
        [before] = await agency.sagas("t1")
        storage = agency.services["trips"].storage
        change = Change(before, before.moved(before.state, before.wake_at))
        async with storage.transaction(agency.runtime.now()) as tx:
            await storage.sagas.save(tx, [change])
        with pytest.raises(Conflict):
            async with storage.transaction(agency.runtime.now()) as tx:
                await storage.sagas.save(tx, [change])


async def keys_are_locked_in_order(folder: Path, twice: bool) -> None:
    """Hops that change several rows do so in the order of their keys, whatever the order of the messages."""
    trips = ["t3", "t1", "t4", "t2"]
    async with world(folder, twice) as (agency, _):
        saved: list[list[str]] = []
        seen: list[list[str]] = []
        trips_storage, hotel_storage = agency.services["trips"].storage, agency.services["hotel"].storage
        trips_storage.sagas.save = _noting(trips_storage.sagas, saved)  # type: ignore[method-assign, assignment]
        look = hotel_storage.inbox.seen

        async def noted(tx: Tx, coordinators: list[str], sagas: list[str]) -> object:
            seen.append(list(sagas))
            return await look(tx, coordinators, sagas)

        hotel_storage.inbox.seen = noted  # type: ignore[method-assign, assignment]
        await agency.start(*trips)
        await agency.runtime.settle()
        for keys in [*saved, *seen]:
            assert keys == sorted(keys), f"{keys} were not locked in order"
        assert any(len(keys) == 4 for keys in saved)
        assert any(len(keys) == 4 for keys in seen)


def _noting(sagas: Sagas, saved: list[list[str]]) -> Callable[..., object]:
    save = sagas.save

    @functools.wraps(save)
    async def noted(tx: Tx, changes: list[Change]) -> None:
        saved.append([str(each.after.id) for each in changes])
        await save(tx, changes)

    return noted


SCENARIOS = [
    compensation_that_keeps_failing,
    outage_of_one_participant,
    retries_come_back_spread_out,
    parallel_group_refused,
    definition_changed,
    poisoned_message,
    lost_update_between_writers,
    keys_are_locked_in_order,
]
