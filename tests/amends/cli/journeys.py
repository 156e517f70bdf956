"""A small program for the command line: trips of a hotel and a flight, both or neither."""

import msgspec

from amends import (
    Command,
    Migration,
    Participant,
    Refusal,
    Reply,
    Retry,
    Saga,
    Tx,
    compensatable,
    pivot,
    retriable,
    together,
)
from amends.app import App
from amends.audit import Finding, Readers

MIGRATIONS = {
    "trips": [Migration(1, "trips", ("create table trips (id text primary key)",))],
    "flights": [Migration(1, "flights", ("create table weather (storm integer not null)",))],
    "hotels": [Migration(1, "rooms", ("create table rooms (id text primary key)",))],
}
BEACH = "beach"  # its hotel can't be cancelled: the trip gets stuck


class Trip(msgspec.Struct, frozen=True):
    place: str


class BookRoom(Command):
    participant = "hotels"
    place: str


class CancelRoom(Command):
    participant = "hotels"
    place: str


class BookFlight(Command):
    participant = "flights"
    place: str


class CancelFlight(Command):
    participant = "flights"
    place: str


class Pay(Command):
    participant = "flights"
    place: str


class SendTickets(Command):
    participant = "hotels"
    place: str


class Booked(Reply): ...


class Cancelled(Reply): ...


class NoFlight(Refusal): ...


class NotCancellable(Refusal): ...


def book_room(trip: Trip) -> BookRoom:
    return BookRoom(trip.place)


def cancel_room(trip: Trip) -> CancelRoom:
    return CancelRoom(trip.place)


def book_flight(trip: Trip) -> BookFlight:
    return BookFlight(trip.place)


def cancel_flight(trip: Trip) -> CancelFlight:
    return CancelFlight(trip.place)


def pay(trip: Trip) -> Pay:
    return Pay(trip.place)


def send_tickets(trip: Trip) -> SendTickets:
    return SendTickets(trip.place)


ONCE = Retry(attempts=1)

take_trip = Saga(
    "take-trip",
    Trip,
    compensatable("book room", book_room, undo=cancel_room),
    together(
        compensatable("book flight", book_flight, undo=cancel_flight),
        compensatable("book second room", book_room, undo=cancel_room),
    ),
    pivot("pay", pay),
    retriable("send tickets", send_tickets, retry=ONCE),
    deadline_s=30,
)

hotels, flights = Participant("hotels"), Participant("flights")


@hotels.handles(BookRoom)
async def on_book_room(tx: Tx, command: BookRoom) -> Booked:
    return Booked()


@hotels.handles(CancelRoom)
async def on_cancel_room(tx: Tx, command: CancelRoom) -> Cancelled | NotCancellable:
    """The beach hotel cancels only while the table `rooms` has a row of that name."""
    if command.place == BEACH and not await tx.fetch("select 1 from rooms where id = 'kind'"):
        return NotCancellable()
    return Cancelled()


@hotels.handles(SendTickets)
async def on_send_tickets(tx: Tx, command: SendTickets) -> Booked:
    return Booked()


@flights.handles(BookFlight)
async def on_book_flight(tx: Tx, command: BookFlight) -> Booked | NoFlight:
    return Booked() if command.place == "city" else NoFlight()


@flights.handles(CancelFlight)
async def on_cancel_flight(tx: Tx, command: CancelFlight) -> Cancelled:
    return Cancelled()


@flights.handles(Pay)
async def on_pay(tx: Tx, command: Pay) -> Booked:
    return Booked()


async def no_storm(readers: Readers) -> list[Finding]:
    storms = await readers["flights"].fetch("select count(*) from weather where storm = 1")
    return [Finding("no storm", storms == [(0,)], {"storms": storms[0][0]}, "there is a storm")]


app = App(databases=MIGRATIONS, sagas={"trips": (take_trip,)}, checks=(no_storm,))
in_two = App(databases=MIGRATIONS, sagas={"trips": (take_trip,), "hotels": (take_trip,)})
