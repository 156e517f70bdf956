"""A small system to break: a coordinator and four rooms, each with its own SQLite file, in virtual time.

    open (begun) · [book hotel | book flight] · charge card (pivot) · send tickets

Every handler writes a line into its room's table `effects`; so what happened, and how often, can be read afterwards.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from amends import Cause, Command, Done, Migration, Participant, Refusal, Reply, Retry, Saga, Tx

from amends import begun, compensatable, pivot, retriable, together  # isort: skip
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.coordinator import IN_FLIGHT, Begin
from amends.faults import Faults
from amends.hops import Observer
from amends.messages import SagaId
from amends.pages import Instance, SagaFilter
from amends.ports import Tracer, Transport
from amends.service import Service
from amends.signals import Field, Signals
from amends.state import ENDED
from amends.testing.runtime import VirtualRuntime


class Trip(msgspec.Struct, frozen=True):
    id: str


class OnTrip(Command):
    trip: str


class CloseTrip(OnTrip):
    participant = "trips"
    cause: str


class BookHotel(OnTrip):
    participant = "hotel"


class CancelHotel(OnTrip):
    participant = "hotel"


class BookFlight(OnTrip):
    participant = "flight"


class CancelFlight(OnTrip):
    participant = "flight"


class ChargeCard(OnTrip):
    participant = "bank"


class SendTickets(OnTrip):
    participant = "post"


class Full(Refusal): ...


class Declined(Refusal): ...


def book_hotel(trip: Trip) -> BookHotel:
    return BookHotel(trip.id)


def cancel_hotel(trip: Trip) -> CancelHotel:
    return CancelHotel(trip.id)


def book_flight(trip: Trip) -> BookFlight:
    return BookFlight(trip.id)


def cancel_flight(trip: Trip) -> CancelFlight:
    return CancelFlight(trip.id)


def charge_card(trip: Trip) -> ChargeCard:
    return ChargeCard(trip.id)


def send_tickets(trip: Trip) -> SendTickets:
    return SendTickets(trip.id)


def close_trip(trip: Trip, cause: Cause) -> CloseTrip:
    return CloseTrip(trip.id, cause)


ROOMS: dict[str, tuple[type[OnTrip], ...]] = {
    "trips": (CloseTrip,),
    "hotel": (BookHotel, CancelHotel),
    "flight": (BookFlight, CancelFlight),
    "bank": (ChargeCard,),
    "post": (SendTickets,),
}
CREATE = "create table effects (position integer not null, what text not null, trip text not null)"
EFFECTS = (Migration(1, "effects", (CREATE,)),)
insert_effect = """
insert into effects (position, what, trip) select count(*), :what, :trip from effects
"""
THRICE = Retry(attempts=3, base_s=0.1, cap_s=1.0)

Answer = Reply | Refusal
Behave = Callable[[Tx, OnTrip], Awaitable[Answer]]


def trip_saga(undo_retry: Retry = THRICE, retry: Retry = THRICE, name: str = "book-trip") -> Saga[Trip]:
    return Saga(
        name,
        Trip,
        begun("open trip", undo=close_trip, undo_retry=undo_retry),
        together(
            compensatable("hotel", book_hotel, undo=cancel_hotel, timeout_s=2.0, retry=retry, undo_retry=undo_retry),
            compensatable("flight", book_flight, undo=cancel_flight, timeout_s=2.0, retry=retry, undo_retry=undo_retry),
        ),
        pivot("charge", charge_card, timeout_s=2.0, retry=undo_retry),
        retriable("tickets", send_tickets, timeout_s=2.0, retry=undo_retry),
        deadline_s=30.0,
    )


class Agency:
    """The whole system on one folder. `behave` holds what a command does instead of being done."""

    def __init__(
        self,
        folder: Path,
        transport: Callable[[Transport], Transport] = lambda inner: inner,
        saga: Saga[Trip] | None = None,
        limit: int = IN_FLIGHT,
        seed: int = 1,
    ) -> None:
        self.folder = folder
        self.saga = saga or trip_saga()
        self.runtime = VirtualRuntime(seed)
        self.behave: dict[type[OnTrip], Behave] = {}
        self.services: dict[str, Service] = {}
        self.signals: list[tuple[str, dict[str, Field]]] = []
        self.observers: list[Observer] = []
        self.tracer: Tracer | None = None
        self.faults: dict[str, Faults] = {}
        self._faults = transport
        self._limit = limit

    async def open(self) -> "Agency":
        """Starts every process, or starts them all again after a crash."""
        self.transport = self._faults(InProcess())
        for name in ROOMS:
            await self.open_room(name)
        await self.runtime.settle()
        return self

    async def open_room(self, name: str, definitions: Sequence[Saga[Trip]] | None = None) -> Service:
        storage = SqliteStorage(self.folder / f"{name}.db", EFFECTS)
        await storage.migrate()
        signals = Signals()
        signals.listen(lambda what, fields: self.signals.append((what, fields)))
        for observer in self.observers:
            signals.observe(observer)
        sagas = [self.saga] if definitions is None else definitions
        service = Service(
            storage,
            self.transport,
            self.runtime,
            signals,
            participant=self._participant(name),
            definitions=sagas if name == "trips" else (),
            limit=self._limit,
            tracer=self.tracer,
            faults=self.faults.get(name),
        )
        await service.start()
        self.services[name] = service
        return service

    async def crash(self) -> None:
        """`kill -9` of everything: tasks end where they stand, what was in memory is gone."""
        self.runtime.kill()
        await self.runtime.settle()
        for service in self.services.values():
            await service.storage.close()
        self.services.clear()

    async def restart(self) -> None:
        await self.crash()
        await self.open()

    async def close(self) -> None:
        await self.crash()

    async def start(self, *trips: str, traceparent: str = "") -> None:
        trip_room = self.services["trips"]
        assert trip_room.coordinator is not None
        async with trip_room.storage.transaction(self.runtime.now()) as tx:
            begins = [Begin(SagaId(trip), Trip(trip), traceparent) for trip in trips]
            await trip_room.coordinator.start(tx, self.saga, begins)

    async def run(self, *trips: str, within_s: float = 600.0, leap_s: float = 0.5) -> list[Instance]:
        """Starts sagas and waits until each has ended or needs a person."""
        await self.start(*trips)
        return await self.ended(*trips, within_s=within_s, leap_s=leap_s)

    async def ended(self, *trips: str, within_s: float = 600.0, leap_s: float = 0.5) -> list[Instance]:
        end = self.runtime.now() + within_s
        await self.runtime.settle()
        while not all(each.state.status in {*ENDED, "stuck"} for each in await self.sagas(*trips)):
            assert self.runtime.now() < end, f"still moving: {await self.sagas(*trips)}"
            await self.runtime.advance(leap_s, leap_s)
        await self.runtime.settle()
        return await self.sagas(*trips)

    async def sagas(self, *trips: str) -> list[Instance]:
        async with self.services["trips"].storage.reading() as reader:
            found = await self.services["trips"].storage.sagas.load(reader, [SagaId(trip) for trip in trips])
        return [found[SagaId(trip)] for trip in trips]

    async def every_saga(self) -> list[Instance]:
        async with self.services["trips"].storage.reading() as reader:
            return await self.services["trips"].storage.sagas.find(reader, SagaFilter(limit=10_000))

    async def effects(self, trip: str = "") -> list[str]:
        """What was done for a trip, each room's in order: `["BookHotel", "CancelHotel", "BookFlight"]`."""
        done: list[str] = []
        for name in ROOMS:
            async with self.services[name].storage.reading() as reader:
                sql = "select what from effects where trip = :trip or :trip = '' order by position"
                done += [row[0] for row in await reader.fetch(sql, {"trip": trip})]
        return done

    def heard(self, signal: str) -> list[dict[str, Field]]:
        return [fields for name, fields in self.signals if name == signal]

    def _participant(self, name: str) -> Participant:
        participant = Participant(name)
        for command in ROOMS[name]:
            participant.handles(command)(self._handler(command))
        return participant

    def _handler(self, command: type[OnTrip]) -> Behave:
        async def handle(tx: Tx, asked: OnTrip) -> Answer:
            behave = self.behave.get(command)
            answer = await behave(tx, asked) if behave is not None else Done()
            if not isinstance(answer, Refusal):
                await tx.run(insert_effect, {"what": command.__name__, "trip": asked.trip})
            return answer

        return handle


def refuse(answer: Refusal) -> Behave:
    async def behave(tx: Tx, asked: OnTrip) -> Answer:
        return answer

    return behave


def fail(error: type[Exception] = RuntimeError, trips: Sequence[str] = ()) -> Behave:
    """Raises for these trips, or for all."""

    async def behave(tx: Tx, asked: OnTrip) -> Answer:
        if not trips or asked.trip in trips:
            raise error(f"{type(asked).__name__} {asked.trip}")
        return Done()

    return behave
