"""A trip: a saga with a step of every kind, over six participants, each with a database of its own.

    open · [book hotel | hold seat | pay deposit] · rent car · charge · [give seat | send tickets] · ask
    begun    handles      later       many                     pivot                 tells           best effort

Rooms, seats, cars and money are few: some trips are refused because nothing is left.
"""

from collections.abc import Sequence
from random import Random

import msgspec

from amends import Cause, Command, Done, Event, Migration, Participant, Refusal, Saga, Tx

from amends import begun, best_effort, compensatable, pivot, retriable, together  # isort: skip
from amends.audit import Finding, Readers
from amends.participant import Asked
from amends.service import Service
from amends.testing.scenarios import Scenario
from tests.simulation.effects import EFFECTS, as_the_sagas_say, counted, instances, note

ROOMS, SEATS, CARS, MONEY = 7, 7, 7, 700
FARE, DEPOSIT = 80, 20

agency, hotel, airline = Participant("agency"), Participant("hotel"), Participant("airline")
bank, garage, post = Participant("bank"), Participant("garage"), Participant("post")


class Trip(msgspec.Struct, frozen=True):
    trip: str


class OnTrip(Command):
    trip: str


class CloseTrip(OnTrip):
    participant = "agency"
    cause: str


class AskOpinion(OnTrip):
    participant = "agency"


class BookHotel(OnTrip):
    participant = "hotel"


class CancelHotel(OnTrip):
    participant = "hotel"


class HoldSeat(OnTrip):
    participant = "airline"


class DropSeat(OnTrip):
    participant = "airline"


class GiveSeat(OnTrip):
    participant = "airline"


class PayDeposit(OnTrip):
    participant = "bank"


class ReturnDeposit(OnTrip):
    participant = "bank"


class Charge(OnTrip):
    participant = "bank"


class RentCar(OnTrip):
    participant = "garage"


class ReturnCar(OnTrip):
    participant = "garage"


class SendTickets(OnTrip):
    participant = "post"


class TicketsSent(Event):
    topic = "post.events"
    trip: str


class NothingLeft(Refusal): ...


async def _take(tx: Tx, what: str, amount: int = 1) -> bool:
    """A guarded update: nothing is taken that is not there."""
    sql = "update stock set left = left - :amount where what = :what and left >= :amount"
    return bool(await tx.run(sql, {"amount": amount, "what": what}))


async def _give_back(tx: Tx, what: str, amount: int = 1) -> None:
    await tx.run("update stock set left = left + :amount where what = :what", (amount, what))


async def _do(tx: Tx, trip: str, step: str, what: str, amount: int = 1) -> Done | NothingLeft:
    if not await _take(tx, what, amount):
        return NothingLeft()
    await note(tx, trip, step)
    return Done()


async def _undo(tx: Tx, trip: str, step: str, what: str, amount: int = 1) -> Done:
    await _give_back(tx, what, amount)
    await note(tx, trip, step, undone=True)
    return Done()


@agency.handles(CloseTrip)
async def close_trip(tx: Tx, command: CloseTrip) -> Done:
    await note(tx, command.trip, "open", undone=True)
    return Done()


@agency.handles(AskOpinion)
async def ask_opinion(tx: Tx, command: AskOpinion) -> Done:
    await note(tx, command.trip, "ask")
    return Done()


@agency.hears(TicketsSent)
async def tickets_sent(tx: Tx, event: TicketsSent) -> None:
    await tx.run("insert into heard (trip) values (:trip)", (event.trip,))


@hotel.handles(BookHotel)
async def book_hotel(tx: Tx, command: BookHotel) -> Done | NothingLeft:
    return await _do(tx, command.trip, "book hotel", "rooms")


@hotel.handles(CancelHotel)
async def cancel_hotel(tx: Tx, command: CancelHotel) -> Done:
    return await _undo(tx, command.trip, "book hotel", "rooms")


@airline.handles_later(HoldSeat)
async def hold_seat(tx: Tx, command: HoldSeat, asked: Asked) -> None:
    """Noted now, decided and answered by the next tick."""
    sql = "insert into wishes (saga, step, operation, trip) values (:saga, :step, :operation, :trip)"
    await tx.run(sql, (*asked, command.trip))


async def decide_wishes(service: Service) -> None:
    """The chore of the airline."""
    async with service.transaction() as tx:
        assert service.hop is not None
        for saga, step, operation, trip in await tx.fetch("select saga, step, operation, trip from wishes"):
            answer = await _do(tx, trip, "hold seat", "seats")
            await service.hop.answer(tx, Asked(saga, step, operation), answer)
        await tx.run("delete from wishes")


@airline.handles(DropSeat)
async def drop_seat(tx: Tx, command: DropSeat) -> Done:
    """What was only wished for is forgotten."""
    await tx.run("delete from wishes where trip = :trip", (command.trip,))
    held = "select 1 from effects where trip = :trip and step = 'hold seat' and not undone"
    return await _undo(tx, command.trip, "hold seat", "seats") if await tx.fetch(held, (command.trip,)) else Done()


@airline.handles(GiveSeat)
async def give_seat(tx: Tx, command: GiveSeat) -> Done:
    await note(tx, command.trip, "give seat")
    return Done()


@bank.handles_many(PayDeposit)
async def pay_deposits(tx: Tx, commands: Sequence[PayDeposit]) -> list[Done | NothingLeft]:
    return [await _do(tx, each.trip, "pay deposit", "money", DEPOSIT) for each in commands]


@bank.handles_many(ReturnDeposit)
async def return_deposits(tx: Tx, commands: Sequence[ReturnDeposit]) -> list[Done]:
    return [await _undo(tx, each.trip, "pay deposit", "money", DEPOSIT) for each in commands]


@bank.handles(Charge)
async def charge(tx: Tx, command: Charge) -> Done | NothingLeft:
    return await _do(tx, command.trip, "charge", "money", FARE)


@garage.handles(RentCar)
async def rent_car(tx: Tx, command: RentCar) -> Done | NothingLeft:
    return await _do(tx, command.trip, "rent car", "cars")


@garage.handles(ReturnCar)
async def return_car(tx: Tx, command: ReturnCar) -> Done:
    return await _undo(tx, command.trip, "rent car", "cars")


@post.handles(SendTickets)
async def send_tickets(tx: Tx, command: SendTickets) -> Done:
    await note(tx, command.trip, "send tickets")
    tx.tell(TicketsSent(command.trip), command.trip)
    return Done()


def _close_trip(trip: Trip, cause: Cause) -> CloseTrip:
    return CloseTrip(trip.trip, cause)


book_trip = Saga(
    "book-trip",
    Trip,
    begun("open", undo=_close_trip),
    together(
        compensatable("book hotel", lambda trip: BookHotel(trip.trip), undo=lambda trip: CancelHotel(trip.trip)),
        compensatable("hold seat", lambda trip: HoldSeat(trip.trip), undo=lambda trip: DropSeat(trip.trip)),
        compensatable("pay deposit", lambda trip: PayDeposit(trip.trip), undo=lambda trip: ReturnDeposit(trip.trip)),
    ),
    compensatable("rent car", lambda trip: RentCar(trip.trip), undo=lambda trip: ReturnCar(trip.trip)),
    pivot("charge", lambda trip: Charge(trip.trip)),
    together(
        retriable("give seat", lambda trip: GiveSeat(trip.trip)),
        retriable("send tickets", lambda trip: SendTickets(trip.trip)),
    ),
    best_effort("ask", lambda trip: AskOpinion(trip.trip)),
    deadline_s=30.0,
)
PARTICIPANTS = [agency, hotel, airline, bank, garage, post]


async def conserved(readers: Readers) -> list[Finding]:
    """What is left, and what was done and not undone, are what there was."""
    return [
        await _conserved(readers, "hotel", "rooms", ROOMS, {"book hotel": 1}),
        await _conserved(readers, "airline", "seats", SEATS, {"hold seat": 1}),
        await _conserved(readers, "garage", "cars", CARS, {"rent car": 1}),
        await _conserved(readers, "bank", "money", MONEY, {"pay deposit": DEPOSIT, "charge": FARE}),
    ]


async def _conserved(readers: Readers, name: str, what: str, all: int, prices: dict[str, int]) -> Finding:
    [(left,)] = await readers[name].fetch("select left from stock")
    done = await counted(readers, name)
    used = sum(price * done[step] for step, price in prices.items())
    return Finding(f"{what} are conserved", left >= 0 and left + used == all, {"all": all, "left": left, "used": used})


async def completed_trips_are_paid(readers: Readers) -> list[Finding]:
    """The totals of the participants agree with each other, and with how many trips were completed."""
    completed = sum(not each.state.backward for each in await instances(readers))
    figures = {"completed": completed}
    for name, step in (("hotel", "book hotel"), ("airline", "give seat"), ("garage", "rent car"), ("bank", "charge")):
        figures[step] = (await counted(readers, name))[step]
    return [Finding("participants agree", len({*figures.values()}) == 1, figures)]


async def heard_once(readers: Readers) -> list[Finding]:
    """Of all tickets that were sent, the agency hears once."""
    heard = sorted(trip for (trip,) in await readers["agency"].fetch("select trip from heard"))
    sent = sorted({trip for (trip,) in await readers["post"].fetch("select trip from effects")})
    return [Finding("what is told is heard once", heard == sent, {"sent": len(sent), "heard": len(heard)})]


def _stock(what: str, left: int) -> list[Migration]:
    make = "create table stock (what text, left integer)", f"insert into stock values ('{what}', {left})"
    return [EFFECTS, Migration(2, "stock", make)]


_HEARD = Migration(2, "heard", ("create table heard (trip text)",))
_WISHES = Migration(3, "wishes", ("create table wishes (saga text, step text, operation text, trip text)",))


def trip(random: Random) -> Trip:
    return Trip(f"trip {random.getrandbits(40):010x}")


TRIPS = Scenario(
    book_trip,
    PARTICIPANTS,
    trip,
    {
        "agency": [EFFECTS, _HEARD],
        "hotel": _stock("rooms", ROOMS),
        "airline": [*_stock("seats", SEATS), _WISHES],
        "bank": _stock("money", MONEY),
        "garage": _stock("cars", CARS),
        "post": [EFFECTS],
    },
    [
        as_the_sagas_say(book_trip, [each.name for each in PARTICIPANTS]),
        conserved,
        completed_trips_are_paid,
        heard_once,
    ],
    sagas=10,
    chores={"airline": decide_wishes},
)
