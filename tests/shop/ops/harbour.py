"""A saga that gets stuck, and stays under way, when a test wants it to."""

import asyncio

import msgspec

from amends import Command, Done, Participant, Refusal, Saga, Tx, compensatable, retriable
from amends.adapters.embedded import Embedded
from amends.coordinator import Begin
from amends.messages import SagaId
from amends.pages import Instance
from amends.participant import Asked
from amends.service import Service
from amends.state import Phase


class Voyage(msgspec.Struct, frozen=True):
    ship: str


class HarbourCommand(Command):
    participant = "harbour"


class Load(HarbourCommand):
    ship: str


class Unload(HarbourCommand):
    ship: str


class Clear(HarbourCommand):
    """Answered later, which may be never."""

    ship: str


class Sail(HarbourCommand):
    ship: str


class HarbourClosed(Refusal): ...


def load(voyage: Voyage) -> Load:
    return Load(voyage.ship)


def unload(voyage: Voyage) -> Unload:
    return Unload(voyage.ship)


def clear(voyage: Voyage) -> Clear:
    return Clear(voyage.ship)


def sail(voyage: Voyage) -> Sail:
    return Sail(voyage.ship)


voyage = Saga("voyage", Voyage, compensatable("load", load, undo=unload), retriable("sail", sail))
delayed = Saga(
    "delayed-voyage",
    Voyage,
    compensatable("load", load, undo=unload),
    compensatable("clear", clear, undo=unload, timeout_s=20),
    retriable("sail", sail),
)


class Harbour:
    """While `closed`, ships are refused."""

    def __init__(self, home: Embedded) -> None:
        self.closed = False
        self.home = home
        self.service: Service | None = None

    async def open(self) -> None:
        await self.home.add("harbour", participant=self._participant())
        self.service = await self.home.add("voyages", definitions=[voyage, delayed])

    async def sail(self, ship: str = "Argo") -> Instance:
        """A voyage that has ended, or is stuck because the harbour is closed."""
        assert self.service is not None
        return await self.home.run(self.service, voyage, Voyage(ship))

    async def set_out(self, ship: str = "Argo") -> Instance:
        """A voyage that waits for its clearance."""
        assert self.service is not None
        assert self.service.coordinator is not None
        cleared: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        id = SagaId(self.home.runtime.new_id())

        def watch(moved: Instance) -> None:
            if moved.state.steps[1].phase is Phase.ASKED and not cleared.done():
                cleared.set_result(moved)

        self.service.coordinator.watch.add(id, watch)
        async with self.service.storage.transaction(self.home.runtime.now()) as tx:
            await self.service.coordinator.start(tx, delayed, [Begin(id, Voyage(ship))])
        return await cleared

    def _participant(self) -> Participant:
        harbour = Participant("harbour")

        @harbour.handles(Load)
        async def take_load(tx: Tx, command: Load) -> Done:
            return Done()

        @harbour.handles(Unload)
        async def take_unload(tx: Tx, command: Unload) -> Done:
            return Done()

        @harbour.handles_later(Clear)
        async def take_clear(tx: Tx, command: Clear, asked: Asked) -> None:
            return None

        @harbour.handles(Sail)
        async def take_sail(tx: Tx, command: Sail) -> Done | HarbourClosed:
            return HarbourClosed() if self.closed else Done()

        return harbour
