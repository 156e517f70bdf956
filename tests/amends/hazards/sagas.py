"""Scenarios of the first table of hazards: each holds its rule to account, and is run again with the rule taken out."""

from pathlib import Path

import msgspec
import pytest

from amends import Done, Tx
from amends.coordinator import Begin
from amends.errors import Fenced
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId, encode
from amends.pages import BarrierKey
from amends.state import Status
from amends.testing.faults import Duplicating
from tests.amends.hazards.worlds import FORWARD, UNDONE, command, reply_of, world
from tests.amends.trips import (
    Agency,
    Answer,
    BookFlight,
    BookHotel,
    Full,
    OnTrip,
    Trip,
    refuse,
)


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
        try:
            with pytest.raises(Fenced):
                async with storage.transaction(agency.runtime.now()) as tx:
                    await zombie.start(tx, agency.saga, begin)
            assert await successor.every_saga() == [], "a replaced coordinator wrote"
        finally:
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
]
