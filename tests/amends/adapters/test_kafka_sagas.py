"""Sagas over Kafka, each service with a SQLite file and a transport of its own, as in processes of their own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from amends import Done, Participant, Saga, Tx, compensatable, pivot
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.sqlite import SqliteStorage
from amends.coordinator import Begin
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Transport
from amends.service import Service
from amends.state import ENDED
from amends.testing.faults import Duplicating
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_listening import Heard, Remembered
from tests.amends.trips import (
    EFFECTS,
    BookHotel,
    CancelHotel,
    ChargeCard,
    Declined,
    OnTrip,
    Trip,
    book_hotel,
    cancel_hotel,
    charge_card,
    insert_effect,
)

mock = kafka_clusters.mock
settings = kafka_clusters.settings

Faults = Callable[[Transport], Transport]
COMMANDS: dict[str, tuple[type[OnTrip], ...]] = {"hotel": (BookHotel, CancelHotel), "bank": (ChargeCard,)}
BOOK_TRIP = Saga(
    "book-trip",
    Trip,
    compensatable("hotel", book_hotel, undo=cancel_hotel),
    pivot("charge", charge_card),
    deadline_s=60.0,
)


def participant(name: str) -> Participant:
    """Writes down what it does; the bank declines trips whose name says so."""
    made = Participant(name)

    def handle(command: type[OnTrip]) -> None:
        @made.handles(command)
        async def _(tx: Tx, asked: OnTrip) -> Done | Declined:
            if name == "bank" and "declined" in asked.trip:
                return Declined()
            await tx.run(insert_effect, {"what": command.__name__, "trip": asked.trip})
            return Done()

    for command in COMMANDS[name]:
        handle(command)
    return made


class Process:
    """One service, its database and its transport."""

    def __init__(self, name: str, folder: Path, settings: KafkaSettings, heard: Heard, faults: Faults) -> None:
        self.storage = SqliteStorage(folder / f"{name}.db", EFFECTS)
        self.kafka = Kafka(settings, heard.signals)
        self.service = Service(
            self.storage,
            faults(self.kafka),
            AsyncioRuntime(),
            heard.signals,
            participant=participant(name) if name in COMMANDS else None,
            definitions=[] if name in COMMANDS else [BOOK_TRIP],
        )

    async def start(self) -> "Process":
        await self.storage.migrate()
        await self.service.start()
        return self

    async def stop(self) -> None:
        await self.service.stop()
        await self.kafka.close()

    async def effects(self, trip: str) -> list[str]:
        async with self.storage.reading() as reader:
            sql = "select what from effects where trip = :trip order by position"
            return [row[0] for row in await reader.fetch(sql, {"trip": trip})]


class Agency:
    """All of them."""

    def __init__(self, folder: Path, settings: KafkaSettings) -> None:
        self.heard = Heard()
        self.faults: Faults = lambda inner: inner
        self._folder = folder
        self._settings = settings
        self._processes: dict[str, Process] = {}

    async def start(self, *names: str) -> None:
        for name in names:
            self._processes[name] = await Process(name, self._folder, self._settings, self.heard, self.faults).start()

    async def stop(self, *names: str) -> None:
        for name in names or list(self._processes):
            await self._processes.pop(name).stop()

    async def begin(self, *trips: str) -> dict[str, SagaId]:
        """Starts a saga for each; the coordinator has to have its shards."""
        trip_service = self._processes["trips"].service
        coordinator = trip_service.coordinator
        assert coordinator is not None
        await self.heard.until(lambda: len(coordinator.shards.epochs) == 4)
        begins = {trip: Begin(coordinator.new_id(), Trip(trip)) for trip in trips}
        async with trip_service.transaction() as tx:
            await coordinator.start(tx, BOOK_TRIP, list(begins.values()))
        return {trip: begin.id for trip, begin in begins.items()}

    async def ended(self, sagas: dict[str, SagaId]) -> dict[str, str]:
        """How each ended."""
        coordinator, moved = self._processes["trips"].service.coordinator, Remembered()
        assert coordinator is not None
        watched: dict[str, Instance] = {}

        def note(instance: Instance) -> None:
            watched[instance.id] = instance
            moved.grow()

        for id in sagas.values():
            coordinator.watch.add(id, note)
        watched |= await self._stored(list(sagas.values()))
        await moved.until(lambda: all(watched[id].state.status in ENDED for id in sagas.values()), 60)
        return {trip: watched[id].state.status.value for trip, id in sagas.items()}

    async def effects(self, trip: str) -> list[str]:
        return [effect for name in COMMANDS for effect in await self._processes[name].effects(trip)]

    async def parked(self) -> list[str]:
        """The ids of what the coordinator has set aside."""
        storage = self._processes["trips"].storage
        async with storage.reading() as reader:
            return [row.envelope.id for row in await storage.parking.all(reader, 100)]

    async def _stored(self, ids: list[SagaId]) -> dict[str, Instance]:
        storage = self._processes["trips"].storage
        async with storage.reading() as reader:
            return {str(id): each for id, each in (await storage.sagas.load(reader, ids)).items()}


@pytest.fixture
def addresses() -> list[str]:
    return ["hotel", "bank", "trips.coordinator"]


@pytest.fixture
async def agency(tmp_path: Path, settings: KafkaSettings) -> AsyncIterator[Agency]:
    agency = Agency(tmp_path, settings)
    yield agency
    await agency.stop()


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_sagas_end_all_forward_or_all_undone(agency: Agency, times: int) -> None:
    agency.faults = lambda inner: Duplicating(inner, times)
    await agency.start("hotel", "bank", "trips")
    trips = [f"{what}-{number}" for number in range(25) for what in ("paid", "declined")]
    ended = await agency.ended(await agency.begin(*trips))
    for trip in trips:
        if "paid" in trip:
            assert (ended[trip], await agency.effects(trip)) == ("completed", ["BookHotel", "ChargeCard"])
        else:
            assert (ended[trip], await agency.effects(trip)) == ("compensated", ["BookHotel", "CancelHotel"])


async def test_sagas_go_on_when_their_services_come_back(agency: Agency) -> None:
    await agency.start("trips")
    sagas = await agency.begin(*[f"paid-{number}" for number in range(25)])
    await agency.start("hotel")
    await agency.heard.until(lambda: bool(agency.heard.of("participant.hop")))
    await agency.stop("trips", "hotel")
    await agency.start("bank", "hotel", "trips")
    assert set((await agency.ended(sagas)).values()) == {"completed"}
    for trip in sagas:
        assert await agency.effects(trip) == ["BookHotel", "ChargeCard"]


async def test_coordinator_parks_records_that_are_no_replies_and_reads_on(
    agency: Agency, settings: KafkaSettings
) -> None:
    producer = Producer(dict(settings.producer()))
    for partition in range(4):
        producer.produce(settings.topic("trips.coordinator"), b"?", b"k", partition)
    assert await asyncio.to_thread(producer.flush, 20) == 0
    await agency.start("hotel", "bank", "trips")
    assert set((await agency.ended(await agency.begin("paid"))).values()) == {"completed"}
    await agency.heard.until(lambda: len(agency.heard.of("message.parked")) == 4)
    assert sorted(await agency.parked()) == [f"{settings.topic('trips.coordinator')}/{shard}/0" for shard in range(4)]
