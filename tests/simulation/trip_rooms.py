"""The participants of a trip: what they are asked, and what they do with their rooms, seats, cars and money."""

from collections.abc import Sequence

import msgspec

from amends import Command, Done, Event, Participant, Refusal, Tx
from amends.participant import Asked
from amends.service import Service
from tests.simulation.effects import note

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
