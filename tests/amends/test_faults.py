"""Faults on purpose: whatever is set, a saga ends with all of its parts or none."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from amends import Refusal, Tx
from amends.faults import Fault, Faults, RefusedByFault, owners, refusable
from amends.pages import Instance
from amends.retry import UNTIL_DONE
from amends.state import Phase, Status
from tests.amends.trips import ROOMS, Agency, BookHotel, trip_saga

FORWARD = ["BookHotel", "BookFlight", "ChargeCard", "SendTickets"]
BACK = ["CloseTrip", "BookHotel", "CancelHotel", "BookFlight", "CancelFlight"]
TRIPS = [f"t{number:02}" for number in range(12)]


@pytest.fixture
async def agency(tmp_path: Path) -> AsyncIterator[Agency]:
    agency = Agency(tmp_path, saga=trip_saga(UNTIL_DONE))
    agency.faults = {name: Faults(agency.runtime, [agency.saga]) for name in ROOMS}
    yield await agency.open()
    await agency.close()


async def run_one(agency: Agency) -> Instance:
    [ended] = await agency.run("t")
    return ended


async def all_or_nothing(agency: Agency) -> set[Status]:
    """Runs many trips; returns how they ended, after checking that each has all of its parts or none."""
    ended = await agency.run(*TRIPS)
    for trip in ended:
        done = await agency.effects(trip.id)
        forward = trip.state.status is Status.COMPLETED
        assert done == FORWARD if forward else done.count("BookHotel") == done.count("CancelHotel"), done
        assert forward or ("ChargeCard" not in done and done.count("BookFlight") == done.count("CancelFlight"))
    return {trip.state.status for trip in ended}


async def test_without_a_fault_nothing_changes(agency: Agency) -> None:
    assert (await run_one(agency)).state.status is Status.COMPLETED
    assert await agency.effects("t") == FORWARD


async def test_refused_pivot_turns_the_saga_back(agency: Agency) -> None:
    agency.faults["bank"].put(Fault(refuse=100))
    ended = await run_one(agency)
    assert (ended.state.status, ended.state.cause) == (Status.COMPENSATED, "refused-by-fault")
    assert await agency.effects("t") == BACK


async def test_refused_step_has_nothing_to_undo(agency: Agency) -> None:
    agency.faults["hotel"].put(Fault(refuse=100))
    assert (await run_one(agency)).state.status is Status.COMPENSATED
    assert await agency.effects("t") == ["CloseTrip", "BookFlight", "CancelFlight"]


async def test_share_of_the_actions_is_refused(agency: Agency) -> None:
    agency.faults["bank"].put(Fault(refuse=50))
    assert await all_or_nothing(agency) == {Status.COMPLETED, Status.COMPENSATED}


async def test_what_has_to_be_done_is_never_refused(agency: Agency) -> None:
    """Neither a retriable step nor a compensation: the saga would get stuck."""
    agency.faults["post"].put(Fault(refuse=100))
    assert (await run_one(agency)).state.status is Status.COMPLETED
    for name in ("trips", "flight", "bank"):
        agency.faults[name].put(Fault(refuse=100))
    [ended] = await agency.run("u")
    assert ended.state.status is Status.COMPENSATED
    assert await agency.effects("u") == ["CloseTrip", "BookHotel", "CancelHotel"]


async def test_refused_command_that_comes_again_is_refused_again(agency: Agency) -> None:
    """The answer is lost after the refusal; by the time of the second ask the fault has gone."""
    agency.faults["hotel"].put(Fault(refuse=100, lose=100))
    await agency.start("t")
    await agency.runtime.settle()
    agency.faults["hotel"].put(Fault())
    [ended] = await agency.ended("t")
    assert (ended.state.status, ended.state.cause) == (Status.COMPENSATED, "refused-by-fault")
    assert ended.state.steps[1].phase is Phase.REFUSED
    assert "BookHotel" not in await agency.effects("t")


async def test_refusal_with_more_to_do_is_made_in_the_same_transaction(tmp_path: Path) -> None:
    async def refuse(tx: Tx, command: BookHotel) -> Refusal:
        await tx.run("insert into effects (position, what, trip) values (0, 'refused', :trip)", (command.trip,))
        return RefusedByFault()

    agency = Agency(tmp_path)
    agency.faults["hotel"] = Faults(agency.runtime, [agency.saga], {BookHotel: refuse})
    await agency.open()
    agency.faults["hotel"].put(Fault(refuse=100))
    assert (await run_one(agency)).state.status is Status.COMPENSATED
    assert "refused" in await agency.effects("t")
    await agency.close()


async def test_slow_participant_takes_its_commands_later(agency: Agency) -> None:
    agency.faults["hotel"].put(Fault(slow_ms=1500))
    began = agency.runtime.now()
    ended = await run_one(agency)
    assert ended.state.status is Status.COMPLETED
    assert ended.state.steps[1].at >= began + 1.5
    assert ended.state.steps[1].attempts == 1
    assert await agency.effects("t") == FORWARD


async def test_late_answer_is_asked_for_again_and_the_work_done_once(agency: Agency) -> None:
    agency.faults["bank"].put(Fault(late_s=3.0))
    ended = await run_one(agency)
    assert ended.state.status is Status.COMPLETED
    assert ended.state.steps[3].attempts > 1
    assert await agency.effects("t") == FORWARD


async def test_step_answered_too_late_is_undone(agency: Agency) -> None:
    agency.faults["hotel"].put(Fault(late_s=100.0))
    await agency.start("t")
    await agency.runtime.advance(25.0)
    agency.faults["hotel"].put(Fault())
    [ended] = await agency.ended("t")
    assert ended.state.status is Status.COMPENSATED
    assert await agency.effects("t") == BACK
    await agency.runtime.advance(120.0)
    assert await agency.sagas("t") == [ended]


async def test_lost_answer_is_given_again(agency: Agency) -> None:
    agency.faults["bank"].put(Fault(lose=100))
    await agency.start("t")
    await agency.runtime.advance(5.0)
    assert "ChargeCard" in await agency.effects("t")
    assert (await agency.sagas("t"))[0].state.steps[3].phase is Phase.ASKED
    agency.faults["bank"].put(Fault())
    assert (await agency.ended("t"))[0].state.status is Status.COMPLETED
    assert await agency.effects("t") == FORWARD


async def test_lost_answers_survive_no_restart(agency: Agency) -> None:
    """They are nowhere: not in the outbox, only in the barrier."""
    agency.faults["bank"].put(Fault(lose=100))
    await agency.start("t")
    await agency.runtime.settle()
    async with agency.services["bank"].storage.reading() as reader:
        assert await agency.services["bank"].storage.outbox.unsent(reader, float("inf"), 10) == []
    agency.faults.clear()
    await agency.restart()
    assert (await agency.ended("t"))[0].state.status is Status.COMPLETED
    assert await agency.effects("t") == FORWARD


async def test_answer_that_comes_twice_counts_once(agency: Agency) -> None:
    for name in ROOMS:
        agency.faults[name].put(Fault(twice=100))
    assert await all_or_nothing(agency) == {Status.COMPLETED}


async def test_participant_that_is_down_takes_nothing_until_it_is_back(agency: Agency) -> None:
    agency.faults["post"].put(Fault(down_s=7.0))
    began = agency.runtime.now()
    await agency.start("t")
    await agency.runtime.advance(6.5)
    assert "SendTickets" not in await agency.effects("t")
    assert [each.down_s for each in agency.faults["post"].shown()] == [pytest.approx(0.5)]
    [ended] = await agency.ended("t")
    assert ended.state.status is Status.COMPLETED
    assert ended.state.steps[4].at >= began + 7.0
    assert await agency.effects("t") == FORWARD


async def test_participant_that_is_down_can_be_stopped(agency: Agency) -> None:
    agency.faults["hotel"].put(Fault(down_s=3600.0))
    await agency.start("t")
    await agency.runtime.settle()
    stopping = agency.runtime.spawn(agency.services["hotel"].stop(), "stop")
    await agency.runtime.advance(1.0)
    assert stopping.ended
    assert stopping.error is None


async def test_command_that_comes_after_the_stop_is_given_up(agency: Agency) -> None:
    agency.faults["hotel"].put(Fault(slow_ms=1000))
    await agency.faults["hotel"].stop()
    await agency.start("t")
    await agency.runtime.advance(1.5)
    assert "BookHotel" not in await agency.effects("t")


async def test_all_faults_at_once_leave_all_or_nothing(agency: Agency) -> None:
    for name in ROOMS:
        agency.faults[name].put(Fault(refuse=20, slow_ms=100, late_s=0.2, lose=30, twice=30, down_s=1.0))
    assert Status.STUCK not in await all_or_nothing(agency)


async def test_fault_of_one_definition_leaves_others_alone(agency: Agency) -> None:
    other = trip_saga(name="other")
    for step in other.steps:
        object.__setattr__(step, "name", f"other {step.name}")
    faults = agency.faults["hotel"] = Faults(agency.runtime, [agency.saga, other])
    await agency.restart()
    faults.put(Fault(refuse=100, lose=100, slow_ms=5000, down_s=60.0, saga="other"))
    assert (await run_one(agency)).state.status is Status.COMPLETED
    faults.put(Fault(refuse=100, saga="book-trip"))
    [ended] = await agency.run("u")
    assert ended.state.status is Status.COMPENSATED


async def test_what_is_set_is_shown_and_cleared(agency: Agency) -> None:
    faults = agency.faults["hotel"]
    faults.put(Fault(refuse=10))
    faults.put(Fault(lose=20, saga="book-trip"))
    faults.put(Fault(refuse=30))
    assert faults.shown() == [Fault(refuse=30), Fault(lose=20, saga="book-trip")]
    faults.put(Fault(saga="book-trip"))
    faults.put(Fault())
    assert faults.shown() == []


def test_definition_that_is_not_known_is_said_so(tmp_path: Path) -> None:
    faults = Faults(Agency(tmp_path).runtime, [trip_saga()])
    with pytest.raises(ValueError, match="book-trip"):
        faults.put(Fault(saga="book-tirp"))


@pytest.mark.parametrize(
    "text",
    [
        '{"refuse":101}',
        '{"refuse":-1}',
        '{"lose":1.5}',
        '{"late_s":"x"}',
        '{"down_s":NaN}',
        '{"slow_ms":-1}',
        '{"x":1}',
    ],
)
def test_fault_that_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(text, type=Fault)


def test_step_that_is_retriable_anywhere_is_never_refusable() -> None:
    saga = trip_saga()
    assert refusable([saga]) == {"open trip", "hotel", "flight", "charge"}
    assert set(owners([saga]).values()) == {"book-trip"}
    assert owners([saga, trip_saga(name="other")]) == {}
