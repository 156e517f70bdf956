"""A hotel that is asked over HTTP: one room of `tests.amends.trips`, with a file of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from amends import Done, Event, Participant, Reply, Tx
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.http import participant_app
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.messages import Command, Message, encode, type_name
from amends.participant import Asked
from amends.ports import Runtime, Transport
from amends.service import Service
from amends.signals import Signals
from tests.amends.adapters.http_server import Ear, serving
from tests.amends.trips import EFFECTS, BookHotel, CancelHotel, Full, insert_effect

NOW = "2033-05-18T03:33:20Z"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Room(Reply):
    number: int


class AskGuest(Command):
    """Is answered later."""

    participant = "hotel"
    trip: str


class Burn(Command):
    """Fails whenever it is asked, after it has written."""

    participant = "hotel"
    trip: str


class Renovated(Event):
    topic = "hotel.events"
    trip: str


class Hotel:
    """Its service, and what it has done. `full` names trips that are refused; `asked` waits for guests' answers."""

    def __init__(self, folder: Path, way_back: Callable[[Transport, Runtime], Transport] = lambda own, _: own) -> None:
        self.full: set[str] = set()
        self.asked: list[Asked] = []
        self.runtime = AsyncioRuntime()
        signals = Signals()
        self.ear = Ear(signals)
        self.storage = SqliteStorage(folder / "hotel.db", EFFECTS)
        self.transport = way_back(InProcess(), self.runtime)
        self.service = Service(self.storage, self.transport, self.runtime, signals, participant=self._participant())
        self.app = participant_app(self.service)

    async def start(self) -> "Hotel":
        await self.storage.migrate()
        await self.service.start()
        return self

    async def effects(self) -> list[str]:
        async with self.storage.reading() as reader:
            return [row[0] for row in await reader.fetch("select what || ' ' || trip from effects order by position")]

    async def unchanged(self) -> bool:
        """Neither an effect, nor a row of the barrier, nor an epoch, nor a message."""
        async with self.storage.reading() as reader:
            tables = ("effects", "inbox", "epochs", "outbox", "parked")
            rows = [await reader.fetch(f"select count(*) from {table}") for table in tables]
        return all(row[0][0] == 0 for row in rows)

    async def answer(self, asked: Asked) -> None:
        """The guest has made up his mind."""
        assert self.service.hop is not None
        async with self.service.transaction() as tx:
            await self.service.hop.answer(tx, asked, Room(12))

    def _participant(self) -> Participant:
        hotel = Participant("hotel")

        @hotel.handles(BookHotel)
        async def book(tx: Tx, command: BookHotel) -> Room | Full:
            if command.trip in self.full:
                return Full()
            await _note(tx, command)
            return Room(7)

        @hotel.handles(CancelHotel)
        async def cancel(tx: Tx, command: CancelHotel) -> Done:
            await _note(tx, command)
            return Done()

        @hotel.handles_later(AskGuest)
        async def ask(tx: Tx, command: AskGuest, asked: Asked) -> None:
            await _note(tx, command)
            self.asked.append(asked)

        @hotel.handles(Burn)
        async def burn(tx: Tx, command: Burn) -> Done:
            await _note(tx, command)
            raise RuntimeError("the hotel is on fire")

        @hotel.hears(Renovated)
        async def renovated(tx: Tx, event: Renovated) -> None:
            await _note(tx, event)

        return hotel


async def _note(tx: Tx, message: BookHotel | CancelHotel | AskGuest | Burn | Renovated) -> None:
    await tx.run(insert_effect, {"what": type(message).__name__, "trip": message.trip})


@asynccontextmanager
async def open_hotel(folder: Path) -> AsyncIterator[tuple[Hotel, httpx.AsyncClient]]:
    """A hotel that is served, and a client that knows nothing of Amends."""
    hotel = await Hotel(folder).start()
    async with serving(hotel.app) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield hotel, client
    await hotel.service.stop()


def attributes(message: Message, **changes: str) -> dict[str, str]:
    """A message's as CloudEvents; `trip` is its saga."""
    trip = msgspec.structs.asdict(message)["trip"]
    made = {
        "specversion": "1.0",
        "id": f"{trip} {type(message).__name__}",
        "source": "trips.coordinator" if isinstance(message, Command) else "town",
        "type": type_name(type(message)),
        "subject": trip,
        "time": NOW,
        "kind": "event" if isinstance(message, Event) else "command",
        "traceparent": TRACE,
    }
    if isinstance(message, Command):
        made |= {"sender": "trips.coordinator", "saga": trip, "step": "hotel", "epoch": "7", "attempt": "1"}
    return made | changes


def headers(message: Message, **changes: str) -> dict[str, str]:
    """Of binary mode."""
    named = attributes(message, **changes)
    trace = named.pop("traceparent")
    return {f"ce-{name}": value for name, value in named.items()} | {"traceparent": trace} | JSON


def event(message: Message, **changes: str) -> dict[str, Any]:
    """One of a batch."""
    return attributes(message, **changes) | {"data": msgspec.to_builtins(message)}


async def post(client: httpx.AsyncClient, message: Message, **changes: str) -> httpx.Response:
    return await client.post("/", headers=headers(message, **changes), content=encode(message))


async def post_all(client: httpx.AsyncClient, *messages: dict[str, Any]) -> httpx.Response:
    return await client.post("/", headers=BATCH, content=msgspec.json.encode(messages))


async def together(client: httpx.AsyncClient, *messages: Message) -> list[httpx.Response]:
    """Each in a request of its own, all at the same time."""
    return await asyncio.gather(*[post(client, each) for each in messages])


JSON = {"content-type": "application/json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
