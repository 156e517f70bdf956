"""Two-phase commit and TCC: definitions on the same machine; a coordinator that is killed between the phases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends import DefinitionError, Done, begun, reservation, retriable, tcc
from amends.messages import Operation
from amends.state import Status
from amends.two_phase import two_phase, voter
from tests.amends.travel import (
    SettleRoom,
    Travel,
    Wish,
    by_reservations,
    by_votes,
    by_votes_in_turn,
    free_room,
    hold_room,
    take_room,
    take_seat,
)


@pytest.fixture(params=[by_votes, by_votes_in_turn, by_reservations], ids=["two-phase", "in-turn", "tcc"])
async def travel(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Travel]:
    travel = await Travel(tmp_path, request.param()).open()
    yield travel
    await travel.crash()


async def test_when_all_agree_it_is_settled_everywhere(travel: Travel) -> None:
    await travel.start(Wish("w"))
    assert await travel.ended() is Status.COMPLETED
    assert await travel.seats() == {"hotel": "taken", "plane": "taken"}


async def test_when_one_refuses_nothing_stands_anywhere(travel: Travel) -> None:
    await travel.start(Wish("w", hotel="no"))
    assert await travel.ended() is Status.COMPENSATED
    asked_later = len(travel.saga.groups[1]) == 1 and travel.saga.commit_group > 1
    assert await travel.seats() == {"hotel": "", "plane": "" if asked_later else "free"}


async def test_no_decision_logged_means_none(travel: Travel) -> None:
    """Killed while one answer was on its way: its successor asks again, and gives up what is not answered."""
    travel.hold = lambda each: each.sender == "plane" and each.operation is Operation.ACTION
    await travel.start(Wish("w"))
    assert await travel.seats() == {"hotel": "held", "plane": "held"}
    await travel.crash()
    await travel.open()
    assert await travel.ended() is Status.COMPENSATED
    assert await travel.seats() == {"hotel": "free", "plane": "free"}


async def test_decision_that_was_logged_is_carried_out(travel: Travel) -> None:
    """Killed when it had decided and nobody had heard of it."""
    travel.hold = lambda each: "Settle" in each.type
    await travel.start(Wish("w"))
    assert await travel.seats() == {"hotel": "held", "plane": "held"}
    await travel.crash()
    travel.hold = lambda _: False
    await travel.open()
    assert await travel.ended() is Status.COMPLETED
    assert await travel.seats() == {"hotel": "taken", "plane": "taken"}


def test_decision_is_logged_once_all_are_ready_and_only_then() -> None:
    for saga in (by_votes(), by_reservations()):
        assert [len(group) for group in saga.groups] == [2, 1, 2]
        assert saga.commit_group == 1


def test_steps_around_the_phases_voters_in_turn_and_a_last_commit_have_their_places() -> None:
    saga = by_votes_in_turn()
    names = [[saga.steps[at].name for at in group] for group in saga.groups]
    assert names == [
        ["ask"],
        ["prepare hotel"],
        ["prepare plane"],
        ["decide"],
        ["commit plane"],
        ["commit hotel"],
        ["tell"],
    ]
    assert saga.commit_group == 3
    around = tcc(
        "travel",
        Wish,
        reservation("hotel", reserve=hold_room, confirm=take_room, cancel=free_room),
        before=[begun("ask", undo=free_room)],
        after=[retriable("tell", take_seat)],
    )
    assert [step.name for step in around.steps] == ["ask", "try hotel", "decide", "confirm hotel", "tell"]


def test_definition_that_mixes_up_its_commands_is_refused_by_name() -> None:
    def late(_: Wish, __: Done) -> SettleRoom:
        return SettleRoom("", "")

    with pytest.raises(DefinitionError, match=r"'travel', step 'commit hotel': late takes 2 arguments"):
        two_phase("travel", Wish, voter("hotel", prepare=hold_room, commit=late, abort=free_room))  # type: ignore[arg-type]
