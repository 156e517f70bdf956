"""Scenarios of the first table of hazards: each holds its rule to account, and is run again with the rule taken out."""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from amends import Done, Saga, Tx, retriable
from amends.coordinator import Begin
from amends.errors import Conflict, Fenced, UnknownVersion
from amends.mending import Action
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId, encode
from amends.ports import BarrierKey, Change, Reader, Sagas, Transport
from amends.retry import Retry
from amends.state import Phase, Status
from amends.testing.faults import Duplicating, Holding, Losing, Matches, Recording
from tests.amends.trips import (
    Agency,
    Answer,
    BookFlight,
    BookHotel,
    CancelHotel,
    ChargeCard,
    Declined,
    Full,
    OnTrip,
    SendTickets,
    Trip,
    fail,
    refuse,
    send_tickets,
    trip_saga,
)

FORWARD = ["BookHotel", "BookFlight", "ChargeCard", "SendTickets"]
UNDONE = ["CloseTrip", "BookHotel", "CancelHotel", "BookFlight", "CancelFlight"]


class Faults:
    """A transport that records, holds back, loses and, when `twice`, repeats everything."""

    def __init__(self, twice: bool) -> None:
        self.twice = twice
        self.hold: Matches = lambda _: False
        self.lose: Matches = lambda _: False

    def __call__(self, inner: Transport) -> Transport:
        self.recording = Recording(Duplicating(inner, times=2) if self.twice else inner)
        self.losing = Losing(self.recording, self._loses)
        self.holding = Holding(self.losing, self._holds)
        return self.holding

    def _loses(self, each: Envelope) -> bool:
        return self.lose(each)

    def _holds(self, each: Envelope) -> bool:
        return self.hold(each)

    def sent(self, type: str) -> list[Envelope]:
        return [each for each in self.recording.sent if each.type.endswith(type)]


@asynccontextmanager
async def world(folder: Path, twice: bool, saga: Saga[Trip] | None = None) -> AsyncIterator[tuple[Agency, Faults]]:
    faults = Faults(twice)
    agency = await Agency(folder, faults, saga).open()
    yield agency, faults
    await agency.close()


def command(type: str) -> Matches:
    return lambda each: each.kind is Kind.COMMAND and each.type.endswith(type)


def reply_of(step: str) -> Matches:
    return lambda each: each.kind is Kind.REPLY and each.step == step


async def compensation_before_its_action(folder: Path, twice: bool) -> None:
    """The action is on its way for long; its compensation overtakes it."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = command("BookHotel")
        [saga] = await agency.run("t1")
        assert saga.state.status is Status.COMPENSATED
        assert "CancelHotel" not in await agency.effects("t1"), "nothing was there to undo"
        faults.holding.heal()
        await agency.runtime.settle()
        assert "BookHotel" not in await agency.effects("t1"), "an action ran after its compensation"


async def action_after_its_compensation(folder: Path, twice: bool) -> None:
    """It is refused by name, and still when it comes once more."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = command("BookHotel")
        await agency.run("t1")
        faults.hold = lambda _: False
        for _ in range(2):
            late = [pair[0] for pair in faults.holding.held]
            agency.transport.send(late, lambda _: None)
            await agency.runtime.settle()
            assert faults.sent("AlreadyCompensated"), "the late action got no answer that says why"
            faults.recording.sent.clear()
        hotel = agency.services["hotel"].storage
        async with hotel.reading() as reader:
            rows = await hotel.inbox.known(reader, ["t1"])
        assert rows[BarrierKey("t1", "hotel", Operation.ACTION)].type == "AlreadyCompensated"


async def duplicate_delivery(folder: Path, twice: bool) -> None:
    """Every command five times: one effect, and the same answer each time."""
    agency = await Agency(folder, lambda inner: Duplicating(inner, times=5)).open()
    rooms: list[str] = []

    async def numbered(tx: Tx, asked: OnTrip) -> Answer:
        rooms.append(asked.trip)
        return Done()

    agency.behave[BookHotel] = numbered
    [saga] = await agency.run("t1")
    assert saga.state.status is Status.COMPLETED
    assert await agency.effects("t1") == FORWARD
    assert rooms == ["t1"]
    await agency.close()


async def reply_of_an_old_attempt(folder: Path, twice: bool) -> None:
    """An old attempt's failure says nothing about the present one, which is the last."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = command("SendTickets")
        await agency.start("t1")
        while (await agency.sagas("t1"))[0].state.steps[-1].attempts < 3:
            await agency.runtime.advance(0.5)
        [before] = await agency.sagas("t1")
        coordinator = agency.services["trips"].coordinator
        assert coordinator is not None
        await coordinator.hop([failed(attempt=1)])
        [saga] = await agency.sagas("t1")
        assert saga.state.steps[-1] == before.state.steps[-1], (
            "an old attempt's failure was taken for the present one's"
        )
        faults.holding.heal()
        [saga] = await agency.ended("t1")
        assert saga.state.status is Status.COMPLETED


async def first_answer_of_a_step_wins(folder: Path, twice: bool) -> None:
    """The answer to the first attempt comes after the answer to the second: recorded, nothing else."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = lambda each: reply_of("charge")(each) and each.attempt == 1
        await agency.run("t1")
        late = [msgspec.structs.replace(each, outcome=Outcome.REFUSED, type="Full") for each, _ in faults.holding.held]
        faults.hold = lambda _: False
        agency.transport.send(late, lambda _: None)
        await agency.runtime.settle()
        [after] = await agency.sagas("t1")
        assert after.state.status is Status.COMPLETED
        assert await agency.effects("t1") == FORWARD


async def crash_between_effect_and_record(folder: Path, twice: bool) -> None:
    """The process dies in the middle of a handler's transaction: the effect goes with it, and comes once."""
    async with world(folder, twice) as (agency, _):
        hanging: list[str] = []

        async def hang(tx: Tx, asked: OnTrip) -> Answer:
            await tx.run("insert into effects (position, what, trip) values (99, 'half done', 't1')")
            hanging.append(asked.trip)
            await agency.runtime.sleep(1e9)
            return Done()

        agency.behave[BookHotel] = hang
        await agency.start("t1")
        await agency.runtime.settle()
        assert hanging == ["t1"]
        agency.behave.clear()
        await agency.restart()
        [saga] = await agency.ended("t1")
        assert saga.state.status is Status.COMPLETED
        assert await agency.effects("t1") == FORWARD


async def intent_before_the_command(folder: Path, twice: bool) -> None:
    """The process dies after the commit and before a single command has left."""
    async with world(folder, twice) as (agency, faults):
        faults.lose = lambda _: True
        await agency.start("t1")
        await agency.runtime.settle()
        assert await agency.effects() == []
        faults.lose = lambda _: False
        await agency.restart()
        [saga] = await agency.ended("t1")
        assert saga.state.status is Status.COMPLETED


async def every_step_sent_is_undone(folder: Path, twice: bool) -> None:
    """The hotel did it and its answer is lost for good: unknown is undone like done."""
    async with world(folder, twice) as (agency, faults):
        faults.lose = lambda each: reply_of("hotel")(each) and each.operation is Operation.ACTION
        [saga] = await agency.run("t1")
        assert saga.state.status is Status.COMPENSATED
        assert await agency.effects("t1") == UNDONE, "a step that was sent stands"


async def zombie_writes(folder: Path, twice: bool) -> None:
    """A coordinator that was frozen wakes after its successor has begun: it writes nothing."""
    async with world(folder, twice) as (agency, _):
        zombie, storage = agency.services["trips"].coordinator, agency.services["trips"].storage
        assert zombie is not None
        successor = await Agency(folder).open()
        begin = [Begin(SagaId("t1"), Trip("t1"))]
        with pytest.raises(Fenced):
            async with storage.transaction(agency.runtime.now()) as tx:
                await zombie.start(tx, agency.saga, begin)
        assert await successor.every_saga() == [], "a replaced coordinator wrote"
        await successor.close()


async def zombie_commands(folder: Path, twice: bool) -> None:
    """What a replaced coordinator has sent is not carried out any more; its successor asks again."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = lambda each: each.kind is Kind.COMMAND and each.epoch == 1
        await agency.start("t1")
        await agency.runtime.settle()
        held = [pair[0] for pair in faults.holding.held]
        stray = [msgspec.structs.replace(each, saga=SagaId("t9"), key="t9") for each in held]
        await agency.restart()
        await agency.ended("t1")
        agency.transport.send([*held, *stray], lambda _: None)
        faults.holding.heal()
        await agency.runtime.settle()
        assert await agency.effects() == FORWARD, "a zombie's command was carried out"
        hotel = agency.services["hotel"].storage
        async with hotel.reading() as reader:
            assert await hotel.inbox.known(reader, ["t9"]) == {}, "a zombie's command was let in"
        assert agency.heard("participant.fenced")


async def forward_and_backward_at_once(folder: Path, twice: bool) -> None:
    """A success that comes after the saga has turned back is queued for undo; nothing goes forward any more."""
    async with world(folder, twice) as (agency, faults):
        agency.behave[BookFlight] = refuse(Full())
        faults.hold = reply_of("hotel")
        await agency.start("t1")
        await agency.runtime.settle()
        [turned] = await agency.sagas("t1")
        assert (turned.state.status, turned.state.backward) == (Status.COMPENSATING, True)
        faults.holding.heal()
        [saga] = await agency.ended("t1")
        assert (saga.state.status, saga.state.cause) == (Status.COMPENSATED, "full")
        assert await agency.effects("t1") == ["CloseTrip", "BookHotel", "CancelHotel"]
        assert not faults.sent("ChargeCard")


async def timeout_of_the_pivot(folder: Path, twice: bool) -> None:
    """Nobody knows whether the card was charged: it is asked again, at last stuck, never undone."""
    async with world(folder, twice) as (agency, faults):
        faults.hold = reply_of("charge")
        [saga] = await agency.run("t1")
        assert saga.state.status is Status.STUCK
        assert len({each.attempt for each in faults.sent("ChargeCard")}) == 3
        assert "CancelHotel" not in await agency.effects("t1"), "a timeout of the pivot undid the saga"
        faults.holding.heal()
        [saga] = await agency.ended("t1")
        await agency.runtime.advance(1)
        [saga] = await agency.sagas("t1")
        assert saga.state.status is Status.COMPLETED
        assert await agency.effects("t1") == FORWARD


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
    """Hops that load several rows do so in the order of their keys, whatever the order of the messages."""
    trips = ["t3", "t1", "t4", "t2"]
    async with world(folder, twice) as (agency, _):
        loaded: list[list[str]] = []
        seen: list[list[str]] = []
        trips_storage, hotel_storage = agency.services["trips"].storage, agency.services["hotel"].storage
        trips_storage.sagas.load = _noting(trips_storage.sagas, loaded)  # type: ignore[method-assign, assignment]
        known = hotel_storage.inbox.known

        async def noted(tx: Reader, sagas: list[str]) -> object:
            seen.append(list(sagas))
            return await known(tx, sagas)

        hotel_storage.inbox.known = noted  # type: ignore[method-assign, assignment]
        await agency.start(*trips)
        await agency.runtime.settle()
        for keys in [*loaded, *seen]:
            assert keys == sorted(keys), f"{keys} were not locked in order"
        assert any(len(keys) == 4 for keys in loaded)
        assert any(len(keys) == 4 for keys in seen)


def _noting(sagas: Sagas, loaded: list[list[str]]) -> Callable[..., object]:
    load = sagas.load

    @functools.wraps(load)
    async def noted(tx: Reader, ids: list[SagaId]) -> object:
        loaded.append([str(id) for id in ids])
        return await load(tx, ids)

    return noted


def failed(attempt: int) -> Envelope:
    """What a participant without Amends may answer."""
    return Envelope(
        id=MessageId("f1"),
        kind=Kind.REPLY,
        type="Failed",
        to="trips.coordinator",
        key="t1",
        at=0.0,
        payload=encode(Done()),
        saga=SagaId("t1"),
        step="tickets",
        attempt=attempt,
        outcome=Outcome.FAILED,
        sender="elsewhere",
    )


SCENARIOS = [
    compensation_before_its_action,
    action_after_its_compensation,
    duplicate_delivery,
    reply_of_an_old_attempt,
    first_answer_of_a_step_wins,
    crash_between_effect_and_record,
    intent_before_the_command,
    every_step_sent_is_undone,
    zombie_writes,
    zombie_commands,
    forward_and_backward_at_once,
    timeout_of_the_pivot,
    compensation_that_keeps_failing,
    outage_of_one_participant,
    retries_come_back_spread_out,
    parallel_group_refused,
    definition_changed,
    poisoned_message,
    lost_update_between_writers,
    keys_are_locked_in_order,
]
