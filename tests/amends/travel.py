"""A hotel and a plane that agree on a journey: by two-phase commit, or by reservations (TCC)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from amends import Command, Done, Migration, Participant, Refusal, Saga, Tx, begun, reservation, retriable, tcc
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.coordinator import Begin
from amends.messages import Envelope
from amends.service import Service
from amends.signals import Signals
from amends.state import Status
from amends.testing.faults import Duplicating, Holding
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

    def __init__(self, folder: Path, saga: Saga[Wish], twice: bool = False) -> None:
        self.folder, self.saga, self.twice = folder, saga, twice
        self.runtime = VirtualRuntime()
        self.hold: Callable[[Envelope], bool] = lambda _: False

    async def open(self) -> "Travel":
        inner = Duplicating(InProcess(), times=2) if self.twice else InProcess()
        self.wire = Holding(inner, lambda each: self.hold(each))  # noqa: PLW0108 - tests set it anew
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
