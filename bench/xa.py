"""Two-phase commit by prepared transactions against the same saga by plain rows, on one PostgreSQL, in one run.

    python -m bench.xa [--sagas N] [--in-flight N] [--rounds N] [--places N]

Both hold a room and a seat, decide, and take them: a coordinator, a hotel and a plane in one process, a database each.
By plain rows a vote of yes is a committed row that says `held`; by XA it is a prepared transaction, which keeps its
locks until the decision. With few `--places`, sagas want the same rows.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from amends import Command, Done, Migration, Participant, Refusal, Retry, Saga, Tx, two_phase, voter
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.xa import XA_TABLES, XaParticipant, XaRunner, XaSettings
from amends.coordinator import Begin
from amends.decisions import Log, LoggedDecisions
from amends.messages import SagaId
from amends.pages import Instance
from amends.service import Service
from amends.signals import Signals
from amends.state import ENDED, Status
from bench.figures import percentile
from tools.servers import Postgres, running

STAYS = (
    "create table places (nth bigint primary key, free bigint not null)",
    "insert into places select nth, 1000000000 from generate_series(0, 9999) nth",
    "create table stays (id text primary key, place bigint not null, state text not null)",
)
MIGRATIONS = (Migration(1, "stays", STAYS), Migration(2, "xa", XA_TABLES))
take_place = "update places set free = free - 1 where nth = :nth and free > 0"
give_back = "update places set free = free + 1 where nth = (select place from stays where id = :id)"
insert_stay = "insert into stays (id, place, state) values (:id, :place, :state)"
set_state = "update stays set state = :state where id = :id"


class Wish(msgspec.Struct, frozen=True):
    id: str
    place: int


class Hold(Command):
    id: str
    place: int


class Settle(Command):
    id: str


class HoldRoom(Hold):
    participant = "hotel"


class TakeRoom(Settle):
    participant = "hotel"


class FreeRoom(Settle):
    participant = "hotel"


class HoldSeat(Hold):
    participant = "plane"


class TakeSeat(Settle):
    participant = "plane"


class FreeSeat(Settle):
    participant = "plane"


CONTRACTS = {"hotel": (HoldRoom, TakeRoom, FreeRoom), "plane": (HoldSeat, TakeSeat, FreeSeat)}


def hold_room(wish: Wish) -> HoldRoom:
    return HoldRoom(wish.id, wish.place)


def take_room(wish: Wish) -> TakeRoom:
    return TakeRoom(wish.id)


def free_room(wish: Wish) -> FreeRoom:
    return FreeRoom(wish.id)


def hold_seat(wish: Wish) -> HoldSeat:
    return HoldSeat(wish.id, wish.place)


def take_seat(wish: Wish) -> TakeSeat:
    return TakeSeat(wish.id)


def free_seat(wish: Wish) -> FreeSeat:
    return FreeSeat(wish.id)


def travel() -> Saga[Wish]:
    """Its patience is long: only what is refused is turned back."""
    return two_phase(
        "travel",
        Wish,
        voter("hotel", prepare=hold_room, commit=take_room, abort=free_room, timeout_s=60.0, retry=Retry(attempts=5)),
        voter("plane", prepare=hold_seat, commit=take_seat, abort=free_seat, timeout_s=60.0, retry=Retry(attempts=5)),
        deadline_s=600.0,
    )


def by_rows(name: str) -> Participant:
    made, (hold, take, free) = Participant(name), CONTRACTS[name]

    @made.handles(hold)
    async def on_hold(tx: Tx, command: Hold) -> Done:
        await tx.run(take_place, (command.place,))
        await tx.run(insert_stay, (command.id, command.place, "held"))
        return Done()

    @made.handles(take)
    async def on_take(tx: Tx, command: Settle) -> Done:
        await tx.run(set_state, ("taken", command.id))
        return Done()

    @made.handles(free)
    async def on_free(tx: Tx, command: Settle) -> Done:
        await tx.run(give_back, (command.id,))
        await tx.run(set_state, ("free", command.id))
        return Done()

    return made


def by_xa(name: str) -> XaParticipant:
    made, (hold, take, free) = XaParticipant(Participant(name)), CONTRACTS[name]

    @made.prepares(hold, commit=take, abort=free)
    async def on_hold(tx: Tx, command: Hold) -> Refusal | None:
        await tx.run(take_place, (command.place,))
        await tx.run(insert_stay, (command.id, command.place, "taken"))
        return None

    return made


class Figures(NamedTuple):
    """`cpu_us` is the process's own time a saga, without the database's; `committed` a share."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    committed: float


class World:
    """Three services on fresh databases."""

    def __init__(self, dsns: dict[str, str], prepares: int) -> None:
        self.dsns = dsns
        self.saga = travel()
        self.wire, self.runtime, self.signals = InProcess(), AsyncioRuntime(), Signals()
        self.settings = XaSettings(prepares=prepares, resolutions=max(2, prepares // 2))
        self.services: list[Service] = []
        self.runners: list[XaRunner] = []
        self.ended: dict[SagaId, float] = {}
        self.ends: dict[SagaId, Status] = {}
        self.moved = asyncio.Event()

    async def open(self, xa: bool) -> None:
        home = self._service("travel", (), definitions=[self.saga])
        for name in CONTRACTS:
            bound = by_xa(name) if xa else None
            service = self._service(name, MIGRATIONS, participant=bound.participant if bound else by_rows(name))
            if bound:
                decisions = LoggedDecisions(Log(home.storage, [self.saga]))
                self.runners.append(XaRunner(bound, service, self.dsns[name], self.settings, decisions=decisions))
        for service in self.services:
            await service.storage.migrate()
        for runner in self.runners:
            await runner.start()
        for service in self.services:
            await service.start()
        assert home.coordinator is not None
        self.coordinator = home.coordinator
        self.coordinator.watch.every(self._watch)

    async def close(self) -> None:
        for runner in self.runners:
            await runner.stop()
        for service in self.services:
            await service.stop()

    async def run(self, sagas: int, in_flight: int, places: int) -> Figures:
        """As many as may be in flight, new ones as soon as others have ended."""
        began: dict[SagaId, float] = {}
        start, cpu = time.perf_counter(), time.process_time()
        while len(began) < sagas or not self.ended.keys() >= began.keys():
            left = in_flight - len(began.keys() - self.ended.keys())
            wishes = []
            for nth in range(len(began), min(sagas, len(began) + left)):
                id = self.coordinator.new_id()
                began[id] = time.perf_counter()
                wishes.append(Begin(id, Wish(id, nth % places)))
            if wishes:
                async with self.services[0].transaction() as tx:
                    await self.coordinator.start(tx, self.saga, wishes)
            self.moved.clear()
            if began.keys() - self.ended.keys():
                await self.moved.wait()
        cpu = time.process_time() - cpu
        took = max(self.ended[id] for id in began) - start
        times = sorted(1000 * (self.ended[id] - at) for id, at in began.items())
        committed = sum(self.ends[id] is Status.COMPLETED for id in began) / sagas
        return Figures(sagas / took, percentile(times, 0.5), percentile(times, 0.99), 1e6 * cpu / sagas, committed)

    def _service(self, name: str, migrations: Sequence[Migration], **parts: Any) -> Service:
        storage = PostgresStorage(self.dsns[name], migrations, name=name)
        self.services.append(Service(storage, self.wire, self.runtime, self.signals, **parts))
        return self.services[-1]

    def _watch(self, moved: Sequence[Instance]) -> None:
        for each in moved:
            if each.state.status in (*ENDED, Status.STUCK):
                self.ended[each.id] = time.perf_counter()
                self.ends[each.id] = each.state.status
                self.moved.set()


async def measure(given: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = {"max_prepared_transactions": "2000", "max_connections": "200"}
        postgres = Postgres(Path(folder) / "postgres", given.version, settings)
        async with running(postgres):
            for nth in range(given.rounds):
                for xa in (False, True):
                    figures = await one(postgres, given, xa, f"{nth}_{'xa' if xa else 'rows'}")
                    shown = ", ".join(f"{name} {value:.4g}" for name, value in figures._asdict().items())
                    print(f"{nth + 1} {'xa' if xa else 'rows':4} {shown}", flush=True)


async def one(postgres: Postgres, given: argparse.Namespace, xa: bool, name: str) -> Figures:
    dsns = {each: await postgres.create_database(f"{each}_{name}") for each in ("travel", *CONTRACTS)}
    world = World(dsns, given.prepares)
    await world.open(xa)
    await world.run(given.in_flight, given.in_flight, given.places)  # warms up
    figures = await world.run(given.sagas, given.in_flight, given.places)
    await world.close()
    return figures


def main() -> None:
    made = argparse.ArgumentParser(prog="python -m bench.xa", description=__doc__.partition("\n")[0])
    made.add_argument("--sagas", type=int, default=3000)
    made.add_argument("--in-flight", type=int, default=200)
    made.add_argument("--places", type=int, default=10_000, help="rows that they want, at most 10,000")
    made.add_argument("--prepares", type=int, default=8, help="transactions prepared at once, by participant")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--version", type=int, default=18, help="of PostgreSQL")
    asyncio.run(measure(made.parse_args()))


if __name__ == "__main__":
    main()
