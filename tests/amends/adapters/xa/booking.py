"""What is booked in two phases: a room in a hotel and a seat in a plane, whose effects can be counted."""

from collections.abc import Awaitable, Callable

import msgspec

from amends import Command, Migration, Participant, Refusal, Retry, Saga, Tx, two_phase, voter
from amends.adapters.postgres.xa import XA_TABLES, XaParticipant

PLACES = 100
STAYS = (
    "create table places (name text primary key, free bigint not null check (free >= 0))",
    "create table stays (id text not null, place text not null)",
    f"insert into places (name, free) select 'room ' || nth, {PLACES} from generate_series(0, 29) nth",
    f"insert into places (name, free) values ('sea', {PLACES})",
)
MIGRATIONS = (Migration(1, "stays", STAYS), Migration(2, "xa", XA_TABLES))


class Wish(msgspec.Struct, frozen=True):
    id: str
    place: str = "sea"
    hotel: str = "yes"


class Hold(Command):
    participant = ""
    id: str
    place: str
    vote: str = "yes"


class HoldRoom(Hold):
    participant = "hotel"


class HoldSeat(Hold):
    participant = "plane"


class TakeRoom(Command):
    participant = "hotel"


class TakeSeat(Command):
    participant = "plane"


class FreeRoom(Command):
    participant = "hotel"


class FreeSeat(Command):
    participant = "plane"


class Full(Refusal): ...


def hold_room(wish: Wish) -> HoldRoom:
    return HoldRoom(wish.id, wish.place, wish.hotel)


def take_room(_: Wish) -> TakeRoom:
    return TakeRoom()


def free_room(_: Wish) -> FreeRoom:
    return FreeRoom()


def hold_seat(wish: Wish) -> HoldSeat:
    return HoldSeat(wish.id, wish.place)


def take_seat(_: Wish) -> TakeSeat:
    return TakeSeat()


def free_seat(_: Wish) -> FreeSeat:
    return FreeSeat()


def travel_saga(timeout_s: float = 20.0, hotel: str = "hotel") -> Saga[Wish]:
    one = Retry(attempts=1)
    return two_phase(
        "travel",
        Wish,
        voter(hotel, prepare=hold_room, commit=take_room, abort=free_room, timeout_s=timeout_s, retry=one),
        voter("plane", prepare=hold_seat, commit=take_seat, abort=free_seat, timeout_s=timeout_s, retry=one),
    )


Gate = Callable[[str], Awaitable[None]]


async def open_gate(_: str) -> None: ...


def bound(name: str, hold: type[Hold], take: type[Command], free: type[Command], gate: Gate) -> XaParticipant:
    """Each effect takes a place away: done twice, or by halves, the numbers don't add up."""
    made = XaParticipant(Participant(name))

    @made.prepares(hold, commit=take, abort=free)
    async def stay(tx: Tx, command: Hold) -> Full | None:
        await tx.run("insert into stays (id, place) values (:id, :place)", (command.id, command.place))
        if command.vote != "yes":
            return Full()
        taken = await tx.run("update places set free = free - 1 where name = :name and free > 0", (command.place,))
        await gate(name)
        return None if taken else Full()

    return made


def participants(gate: Gate = open_gate) -> dict[str, XaParticipant]:
    return {
        "hotel": bound("hotel", HoldRoom, TakeRoom, FreeRoom, gate),
        "plane": bound("plane", HoldSeat, TakeSeat, FreeSeat, gate),
    }
