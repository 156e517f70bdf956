"""A trip: a saga with a step of every kind, over six participants, each with a database of its own.

    open · [book hotel | hold seat | pay deposit] · rent car · charge · [give seat | send tickets] · ask
    begun    handles      later       many                     pivot                 tells           best effort

Rooms, seats, cars and money are few: some trips are refused because nothing is left.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from amends import Cause, Command, Migration, Saga

from amends import begun, best_effort, compensatable, pivot, retriable, together  # isort: skip
from amends.audit import Finding, Readers
from amends.mending import Action
from amends.pages import Instance
from amends.retry import UNTIL_DONE, Retry
from amends.state import Phase, Status
from amends.steps import Step
from amends.testing.operating import Wish
from amends.testing.scenarios import Scenario
from tests.simulation.effects import EFFECTS, as_the_sagas_say, counted, instances
from tests.simulation.trip_rooms import (
    CARS,
    DEPOSIT,
    FARE,
    MONEY,
    ROOMS,
    SEATS,
    AskOpinion,
    BookHotel,
    CancelHotel,
    Charge,
    CloseTrip,
    DropSeat,
    GiveSeat,
    HoldSeat,
    OnTrip,
    PayDeposit,
    RentCar,
    ReturnCar,
    ReturnDeposit,
    SendTickets,
    Trip,
    agency,
    airline,
    bank,
    decide_wishes,
    garage,
    hotel,
    post,
)


def _close_trip(trip: Trip, cause: Cause) -> CloseTrip:
    return CloseTrip(trip.trip, cause)


def trip_saga(name: str, timeout_s: float, deadline_s: float, until_done: Retry = UNTIL_DONE) -> Saga[Trip]:
    """`timeout_s` is the patience with each step that can be undone, `until_done` the budget of the others."""
    return Saga(
        name,
        Trip,
        begun("open", undo=_close_trip, undo_retry=until_done, timeout_s=timeout_s),
        together(
            _undoable("book hotel", BookHotel, CancelHotel, timeout_s, until_done),
            _undoable("hold seat", HoldSeat, DropSeat, timeout_s, until_done),
            _undoable("pay deposit", PayDeposit, ReturnDeposit, timeout_s, until_done),
        ),
        _undoable("rent car", RentCar, ReturnCar, timeout_s, until_done),
        pivot("charge", _on(Charge), timeout_s=timeout_s, retry=until_done),
        together(
            retriable("give seat", _on(GiveSeat), timeout_s=timeout_s, retry=until_done),
            retriable("send tickets", _on(SendTickets), timeout_s=timeout_s, retry=until_done),
        ),
        best_effort("ask", _on(AskOpinion), timeout_s=timeout_s),
        deadline_s=deadline_s,
    )


def _undoable(name: str, ask: type[OnTrip], undo: type[OnTrip], timeout_s: float, until_done: Retry) -> Step[Trip]:
    return compensatable(name, _on(ask), undo=_on(undo), timeout_s=timeout_s, undo_retry=until_done)


def _on(command: type[OnTrip]) -> Callable[[Trip], Command]:
    def made(trip: Trip) -> Command:
        return command(trip.trip)

    return made


book_trip = trip_saga("book-trip", timeout_s=5.0, deadline_s=30.0)
hurry_trip = trip_saga("hurry-trip", timeout_s=0.5, deadline_s=3.0)
stuck_trip = trip_saga("stuck-trip", timeout_s=1.5, deadline_s=6.5, until_done=Retry(attempts=2, base_s=0.1, cap_s=1.0))
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


_MIGRATIONS = {
    "agency": [EFFECTS, _HEARD],
    "hotel": _stock("rooms", ROOMS),
    "airline": [*_stock("seats", SEATS), _WISHES],
    "bank": _stock("money", MONEY),
    "garage": _stock("cars", CARS),
    "post": [EFFECTS],
}


def trips(saga: Saga[Trip], sagas: int = 10) -> Scenario:
    """Any of the definitions above."""
    effects = as_the_sagas_say(saga, [each.name for each in PARTICIPANTS])
    judges = [effects, conserved, completed_trips_are_paid, heard_once]
    return Scenario(saga, PARTICIPANTS, trip, _MIGRATIONS, judges, sagas, chores={"airline": decide_wishes})


TRIPS = trips(book_trip)
HURRIED = trips(hurry_trip)
"""Hardly patient: much is unknown in it when it turns back, and it turns back often."""


def asked_again(instance: Instance, chance: Random) -> Wish | None:
    """What is stuck is asked again; a charge that is may be wished away, which nobody may."""
    if instance.state.status is not Status.STUCK or chance.random() < 0.3:
        return None
    charge = instance.state.steps[stuck_trip.index["charge"]].phase
    wished_away = charge is Phase.STUCK and not instance.state.backward and chance.random() < 0.6
    return Wish(Action.SKIP if wished_away else Action.RETRY)


STUCK = replace(
    trips(stuck_trip, sagas=8),
    operator=asked_again,
    steady=True,
    faults={"answer lost": 0.2, "message lost": 0.1, "message late": 0.1, "participant refuses": 0.05},
)
"""Everything has a short budget, and somebody who asks again."""
