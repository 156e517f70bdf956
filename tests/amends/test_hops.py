"""Hops are told in full, once they are durable, to whoever observes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends.hops import Handled, Moved
from amends.messages import Kind, Outcome
from amends.state import Status
from tests.amends.trips import Agency, BookFlight, BookHotel, Full, SendTickets, fail, refuse

SPAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Noted:
    """An `Observer`."""

    def __init__(self) -> None:
        self.moves: list[Moved] = []
        self.handles: list[Handled] = []

    def moved(self, hop: Moved) -> None:
        self.moves.append(hop)

    def handled(self, hop: Handled) -> None:
        self.handles.append(hop)

    def asked(self) -> list[str]:
        return [f"{each.step} {each.operation} {each.attempt}" for hop in self.moves for each in hop.commands]


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
async def agency(tmp_path: Path, noted: Noted) -> AsyncIterator[Agency]:
    agency = Agency(tmp_path)
    agency.observers.append(noted)
    yield await agency.open()
    await agency.close()


async def test_every_command_and_reply_is_told_on_both_sides(agency: Agency, noted: Noted) -> None:
    await agency.run("t1")
    assert noted.asked() == ["hotel action 1", "flight action 1", "charge action 1", "tickets action 1"]
    asked = sorted(each.id for hop in noted.moves for each in hop.commands)
    assert sorted(each.id for hop in noted.handles for each in hop.asks) == asked
    replied = sorted(each.id for hop in noted.handles for each in hop.replies)
    assert sorted(each.id for hop in noted.moves for each in hop.replies) == replied
    assert {hop.service for hop in noted.moves} == {"trips"}
    assert sorted(hop.service for hop in noted.handles) == ["bank", "flight", "hotel", "post"]


async def test_begin_and_end_are_told_once(agency: Agency, noted: Noted) -> None:
    await agency.run("t1", "t2")
    [fresh] = [hop for hop in noted.moves if hop.fresh]
    assert sorted(fresh.changes) == ["t1", "t2"]
    ended = [each for hop in noted.moves for each in hop.ended]
    assert sorted((each.id, each.state.status) for each in ended) == [
        ("t1", Status.COMPLETED),
        ("t2", Status.COMPLETED),
    ]
    changes = [change for hop in noted.moves if not hop.fresh for change in hop.changes.values()]
    assert changes
    assert all(change.after.revision == change.before.revision + 1 for change in changes)


async def test_compensations_and_refusals_are_told(agency: Agency, noted: Noted) -> None:
    agency.behave[BookFlight] = refuse(Full())
    await agency.run("t1")
    assert "hotel compensation 1" in noted.asked()
    refused = [each for hop in noted.handles for each in hop.replies if each.outcome is Outcome.REFUSED]
    assert [each.step for each in refused] == ["flight"]


async def test_what_was_rolled_back_is_not_told(agency: Agency, noted: Noted) -> None:
    agency.behave[BookHotel] = fail(trips=["t1"])
    await agency.start("t1", "t2")
    await agency.ended("t2")
    booked = [each.saga for hop in noted.handles for each in hop.asks if each.type == "hotel.BookHotel"]
    assert booked == ["t2"]


async def test_commands_asked_anew_after_a_crash_are_told(agency: Agency, noted: Noted) -> None:
    await agency.start("t1")
    before = len(noted.moves)
    await agency.restart()
    anew = noted.moves[before]
    assert [each.step for each in anew.commands] == ["hotel", "flight"]
    assert not anew.fresh
    assert all(change.before is change.after for change in anew.changes.values())


async def test_stuck_saga_is_told_once_with_its_steps(agency: Agency) -> None:
    agency.behave[SendTickets] = refuse(Full())
    await agency.start("t1", traceparent=SPAN)
    await agency.ended("t1")
    await agency.runtime.advance(60.0, 0.5)
    told = {"saga": "t1", "definition": "book-trip", "steps": ["tickets"], "traceparent": SPAN}
    assert agency.heard("saga.stuck") == [told]


async def test_failed_message_is_told_with_its_trace(agency: Agency) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1", traceparent=SPAN)
    await agency.runtime.advance(5.0, 0.5)
    told = agency.heard("message.deferred")
    assert len(told) > 1
    assert [each["attempts"] for each in told] == list(range(1, len(told) + 1))
    assert {(each["type"], each["address"], each["traceparent"]) for each in told} == {
        ("hotel.BookHotel", "hotel", SPAN)
    }


async def test_traceparent_travels_as_it_came_when_nobody_traces(agency: Agency, noted: Noted) -> None:
    await agency.start("t1", traceparent=SPAN)
    [saga] = await agency.ended("t1")
    assert saga.traceparent == SPAN
    envelopes = [each for hop in noted.moves for each in (*hop.commands, *hop.replies)]
    assert {(each.kind, each.traceparent) for each in envelopes} == {(Kind.COMMAND, SPAN), (Kind.REPLY, SPAN)}
