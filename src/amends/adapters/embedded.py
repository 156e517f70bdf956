"""Everything in one process: a SQLite file a service, queues in memory. For programs that need no servers.

async with Embedded(Path("data")) as home:
    trips = await home.add("trips", definitions=[book_trip])
    await home.add("hotel", participant=hotel, migrations=HOTEL)
    saga = await home.run(trips, book_trip, Trip(...))
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import DataFolder, SqliteStorage
from amends.coordinator import IN_FLIGHT, Begin
from amends.faults import Faults
from amends.pages import Instance
from amends.participant import Participant
from amends.ports import Tracer, Transport
from amends.saga import Saga
from amends.schema import Migration
from amends.service import Service
from amends.signals import Signals
from amends.state import ENDED, Status

I = TypeVar("I", bound=msgspec.Struct)  # noqa: E741


class Embedded:
    """Services of one process on one data folder. Raises `InUse` when another process owns the folder.

    Without a folder everything is in a temporary one, which goes at the end.
    """

    def __init__(self, folder: Path | None = None, tracer: Tracer | None = None) -> None:
        self.runtime = AsyncioRuntime()
        self.transport: Transport = InProcess()
        self.signals = Signals()
        self.services: dict[str, Service] = {}
        self._tracer = tracer
        self._leaving = ExitStack()
        self._folder = DataFolder(folder or Path(self._leaving.enter_context(TemporaryDirectory())))

    async def __aenter__(self) -> Self:
        self._folder.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def build(
        self,
        name: str,
        *,
        participant: Participant | None = None,
        definitions: Sequence[Saga[Any]] = (),
        migrations: Sequence[Migration] = (),
        limit: int = IN_FLIGHT,
        faults: Faults | None = None,
    ) -> Service:
        """Makes a service and its file, migrated, not started yet."""
        storage = SqliteStorage(self._folder.path / f"{name}.db", migrations)
        await storage.migrate()
        service = Service(
            storage,
            self.transport,
            self.runtime,
            self.signals,
            participant=participant,
            definitions=definitions,
            limit=limit,
            tracer=self._tracer,
            faults=faults,
        )
        self.services[name] = service
        return service

    async def add(
        self,
        name: str,
        *,
        participant: Participant | None = None,
        definitions: Sequence[Saga[Any]] = (),
        migrations: Sequence[Migration] = (),
        faults: Faults | None = None,
    ) -> Service:
        """Makes a service and starts it."""
        service = await self.build(
            name, participant=participant, definitions=definitions, migrations=migrations, faults=faults
        )
        await service.start()
        return service

    async def run(self, service: Service, saga: Saga[I], input: I) -> Instance:
        """Starts a saga and waits until it has ended, or needs a person."""
        assert service.coordinator is not None, f"service {service.name} has no definitions"
        ended: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        id = service.coordinator.new_id()
        service.coordinator.watch.add(id, lambda moved: _tell(ended, moved))
        async with service.storage.transaction(self.runtime.now()) as tx:
            await service.coordinator.start(tx, saga, [Begin(id, input)])
        return await ended

    async def stop(self) -> None:
        for service in self.services.values():
            await service.stop()
        self._folder.close()
        self._leaving.close()


def _tell(ended: "asyncio.Future[Instance]", moved: Instance) -> None:
    if moved.state.status in ENDED | {Status.STUCK} and not ended.done():
        ended.set_result(moved)
