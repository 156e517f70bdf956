"""A hotel on PostgreSQL and Kafka, as several processes would run it."""

import asyncio
import time
from collections.abc import Iterable
from typing import NamedTuple

import asyncpg
import msgspec

from amends import Done, Migration, Participant, Tx
from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.postgres import PostgresStorage
from amends.conformance.fixtures import envelope
from amends.messages import Envelope
from amends.service import Service
from amends.signals import Signals
from tests.amends.trips import BookHotel
from tests.mortal import MortalRuntime

PATIENCE_S = 30.0
_POLL_S = 0.02
ROOMS = (
    Migration(
        1,
        "bookings",
        ("create table bookings (position bigint generated always as identity, trip text not null)",),
    ),
)
who_waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


class Where(NamedTuple):
    """Its database and its broker."""

    dsn: str
    settings: KafkaSettings


class Process:
    """One process of the hotel."""

    def __init__(self, where: Where) -> None:
        signals = Signals()
        self.where = where
        self.runtime = MortalRuntime()
        self.storage = PostgresStorage(where.dsn, ROOMS, name="hotel")
        self.kafka = Kafka(where.settings, signals)
        self.service = Service(self.storage, self.kafka, self.runtime, signals, participant=_hotel())

    async def start(self) -> "Process":
        await self.storage.migrate()
        await self.service.start()
        return self

    async def stop(self) -> None:
        await self.service.stop()
        await self.kafka.close()

    async def kill(self) -> None:
        """Its tasks end where they stand; offsets that it gave to its client are committed, as they might have been."""
        await self.runtime.kill()
        await self.kafka.close()
        await self.storage.close()

    async def booked(self) -> list[str]:
        async with self.storage.reading() as reader:
            return [row[0] for row in await reader.fetch("select trip from bookings order by position")]

    async def has_booked(self, trips: Iterable[str]) -> list[str]:
        """What was booked, in that order, as soon as all of these are."""
        deadline = time.monotonic() + PATIENCE_S
        while not set(trips) <= set(found := await self.booked()):
            assert time.monotonic() < deadline, f"a message was lost: only {found} were booked"
            await asyncio.sleep(_POLL_S)
        return found


class Locked:
    """Nobody can book while this lasts: `async with`."""

    def __init__(self, where: Where) -> None:
        self._dsn = where.dsn

    async def __aenter__(self) -> "Locked":
        self._connection = await asyncpg.connect(self._dsn)
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        await self._connection.execute("lock table bookings in access exclusive mode")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._transaction.rollback()
        await self._connection.close()

    async def somebody_waits(self) -> None:
        """A hop has begun, and stands."""
        deadline = time.monotonic() + PATIENCE_S
        while not await self._connection.fetch(who_waits):
            assert time.monotonic() < deadline, "nobody wants to book"
            await asyncio.sleep(_POLL_S)


def asks(*trips: str) -> list[Envelope]:
    """Commands to book a room for each trip."""
    return [
        msgspec.structs.replace(
            envelope(f"book {trip}", key=trip),
            type="hotel.BookHotel",
            saga=trip,
            payload=msgspec.json.encode({"trip": trip}),
            operation="action",
            deadline=None,
            epoch=0,
        )
        for trip in trips
    ]


def _hotel() -> Participant:
    participant = Participant("hotel")

    @participant.handles(BookHotel)
    async def book(tx: Tx, command: BookHotel) -> Done:
        await tx.run("insert into bookings (trip) values (:trip)", (command.trip,))
        return Done()

    return participant
