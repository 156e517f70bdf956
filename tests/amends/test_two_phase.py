"""Two-phase commit and TCC: definitions on the same machine; a coordinator that is killed between the phases."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from amends import (
    Command,
    DefinitionError,
    Done,
    Migration,
    Participant,
    Refusal,
    Saga,
    Tx,
    begun,
    reservation,
    retriable,
    tcc,
)
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.coordinator import Begin
from amends.messages import Envelope, Operation
from amends.service import Service
from amends.signals import Signals
from amends.state import Status
from amends.testing.faults import Holding
from amends.testing.runtime import VirtualRuntime
from amends.two_phase import two_phase, voter

SEATS = Migration(1, "seats", ("create table seats (id text primary key, state text not null)",))


class Wish(msgspec.Struct, frozen=True):
    id: str
    hotel: str = "yes"


class Hold(Command):
    participant = ""
    id: str
    vote: str


class HoldRoom(Hold):
    participant = "hotel"


class HoldSeat(Hold):
    participant = "plane"


class Settle(Command):
    participant = ""
    id: str
    state: str


class SettleRoom(Settle):
    participant = "hotel"


class SettleSeat(Settle):
    participant = "plane"


class Full(Refusal): ...


def hold_room(wish: Wish) -> HoldRoom:
    return HoldRoom(wish.id, wish.hotel)


def hold_seat(wish: Wish) -> HoldSeat:
    return HoldSeat(wish.id, "yes")


def take_room(wish: Wish) -> SettleRoom:
    return SettleRoom(wish.id, "taken")


def free_room(wish: Wish) -> SettleRoom:
    return SettleRoom(wish.id, "free")


def take_seat(wish: Wish) -> SettleSeat:
    return SettleSeat(wish.id, "taken")


def free_seat(wish: Wish) -> SettleSeat:
    return SettleSeat(wish.id, "free")


def by_votes() -> Saga[Wish]:
    return two_phase(
        "travel",
        Wish,
        voter("hotel", prepare=hold_room, commit=take_room, abort=free_room),
        voter("plane", prepare=hold_seat, commit=take_seat, abort=free_seat),
    )


def by_votes_in_turn() -> Saga[Wish]:
    return two_phase(
        "travel",
        Wish,
        voter("hotel", prepare=hold_room, commit=take_room, abort=free_room, last=True),
        voter("plane", prepare=hold_seat, commit=take_seat, abort=free_seat),
        before=[begun("ask", undo=free_room)],
        after=[retriable("tell", take_seat)],
        in_turn=True,
    )


def by_reservations() -> Saga[Wish]:
    return tcc(
        "travel",
        Wish,
        reservation("hotel", reserve=hold_room, confirm=take_room, cancel=free_room),
        reservation("plane", reserve=hold_seat, confirm=take_seat, cancel=free_seat),
    )


def room(name: str, hold: type[Hold], settle: type[Settle]) -> Participant:
    made = Participant(name)

    @made.handles(hold)
    async def on_hold(tx: Tx, command: Hold) -> Done | Full:
        if command.vote != "yes":
            return Full()
        await tx.run("insert into seats (id, state) values (:id, 'held')", (command.id,))
        return Done()

    @made.handles(settle)
    async def on_settle(tx: Tx, command: Settle) -> Done:
        await tx.run("update seats set state = :state where id = :id", (command.state, command.id))
        return Done()

    return made


class Travel:
    """A coordinator and two participants on files; what matches `hold` stays on its way."""

    def __init__(self, folder: Path, saga: Saga[Wish]) -> None:
        self.folder, self.saga = folder, saga
        self.runtime = VirtualRuntime()
        self.hold: Callable[[Envelope], bool] = lambda _: False

    async def open(self) -> "Travel":
        self.wire = Holding(InProcess(), lambda each: self.hold(each))  # noqa: PLW0108 - tests set it anew
        self.services = {
            "travel": self._service("travel", definitions=[self.saga]),
            "hotel": self._service("hotel", participant=room("hotel", HoldRoom, SettleRoom)),
            "plane": self._service("plane", participant=room("plane", HoldSeat, SettleSeat)),
        }
        for service in self.services.values():
            await service.storage.migrate()
            await service.start()
        return self

    def _service(self, name: str, **parts: Any) -> Service:
        storage = SqliteStorage(self.folder / f"{name}.db", [SEATS])
        return Service(storage, self.wire, self.runtime, Signals(), **parts)

    async def crash(self) -> None:
        self.runtime.kill()
        await self.runtime.settle()
        for service in self.services.values():
            await service.storage.close()

    async def start(self, wish: Wish) -> None:
        service = self.services["travel"]
        assert service.coordinator is not None
        id = service.coordinator.new_id()
        async with service.transaction() as tx:
            await service.coordinator.start(tx, self.saga, [Begin(id, wish)])
        await self.runtime.settle()

    async def ended(self) -> Status:
        """How the one saga has ended."""
        await self.runtime.advance(120, leap_s=0.5)
        service = self.services["travel"]
        async with service.storage.reading() as reader:
            [(status,)] = await reader.fetch("select status from sagas")
        return Status(status)

    async def seats(self) -> dict[str, str]:
        found = {}
        for name in ("hotel", "plane"):
            async with self.services[name].storage.reading() as reader:
                rows = await reader.fetch("select state from seats")
            found[name] = rows[0][0] if rows else ""
        return found


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
