"""Three services in one process, on three databases: a coordinator, a hotel and a plane that vote by `PREPARE`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

import asyncpg

from amends import Migration, Retry, Saga
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.xa import XaParticipant, XaRunner, XaSettings
from amends.coordinator import Begin
from amends.decisions import Decisions, Log, LoggedDecisions
from amends.messages import Envelope, SagaId
from amends.pages import Instance
from amends.service import Service
from amends.signals import Field, Signals
from amends.state import ENDED, Status
from amends.testing.faults import Holding
from tests.amends.adapters.xa.booking import MIGRATIONS, PLACES, Gate, Wish, open_gate, participants, travel_saga
from tests.amends.adapters.xa.mortal import MortalRuntime
from tools.servers import Postgres

T = TypeVar("T")

PATIENCE_S = 60.0
HASTY = XaSettings(
    lock_wait_s=0.05, retry=Retry(base_s=0.02, cap_s=0.1), look_every_s=3600.0, resolve_after_s=0.0, alarm_after_s=0.0
)


class Travel:
    """One process with three services; what matches `hold` stays on its way, effects wait for `gate`.

    async with Travel(await databases(postgres)) as travel:
        ...
    """

    def __init__(self, dsns: dict[str, str], saga: Saga[Wish] | None = None, settings: XaSettings = HASTY) -> None:
        self.dsns = dsns
        self.saga = saga or travel_saga()
        self.settings = settings
        self.hold: Callable[[Envelope], bool] = lambda _: False
        self.gate: Gate = open_gate
        self.told: list[tuple[str, dict[str, Field]]] = []
        self._heard: list[tuple[Callable[[str, dict[str, Field]], bool], asyncio.Event]] = []
        self._ended: dict[SagaId, asyncio.Event] = {}
        self._holds = asyncio.Event()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        """Nothing stays prepared: other tests use the server, too."""
        await self.close()
        for name in ("hotel", "plane"):
            for (gid,) in await self.fetch(
                name, "select gid from pg_prepared_xacts where database = current_database()"
            ):
                await self.fetch(name, f"rollback prepared '{gid}'")

    async def open(self, runtime: MortalRuntime | None = None) -> Self:
        self.runtime = runtime or MortalRuntime()
        self.signals = Signals()
        self.signals.listen(self._hear)
        self.wire = Holding(InProcess(), self._is_held)
        self.services = {"travel": self._service("travel", (), definitions=[self.saga])}
        self.runners: dict[str, XaRunner] = {}
        self.xa = participants(self._pass)
        for name, xa in self.xa.items():
            self.services[name] = self._service(name, MIGRATIONS, participant=xa.participant)
            self.runners[name] = self.runner(xa, self.services[name])
        for service in self.services.values():
            await service.storage.migrate()
        for runner in self.runners.values():
            await runner.start()
        self.coordinator.watch.every(self._watch)
        for service in self.services.values():
            await service.start()
        return self

    def runner(self, xa: XaParticipant, service: Service) -> XaRunner:
        return XaRunner(xa, service, self.dsns[xa.name], self.settings, decisions=self.decisions())

    def decisions(self) -> Decisions:
        return LoggedDecisions(Log(self.services["travel"].storage, [self.saga]))

    @property
    def coordinator(self) -> Any:
        return self.services["travel"].coordinator

    async def crash(self) -> None:
        """All connections break, all tasks end."""
        for pooled in [*[each.storage for each in self.services.values()], *self._transactions()]:
            pool = pooled._connections._pool  # type: ignore[attr-defined]
            if pool is not None:
                pool.terminate()
        await self.close()

    async def close(self) -> None:
        await self.runtime.kill()
        for each in (*self._transactions(), *[service.storage for service in self.services.values()]):
            await each.close()  # type: ignore[attr-defined]

    def _transactions(self) -> list[object]:
        return [runner._transactions for runner in self.runners.values()]

    async def start(self, *wishes: Wish) -> list[SagaId]:
        ids: list[SagaId] = [self.coordinator.new_id() for _ in wishes]
        self._ended |= {id: asyncio.Event() for id in ids}
        async with self.services["travel"].transaction() as tx:
            await self.coordinator.start(tx, self.saga, [Begin(*each) for each in zip(ids, wishes, strict=True)])
        return ids

    async def ended(self, *ids: SagaId) -> list[Status]:
        """How these, or all that were started, have ended; or that they are stuck."""
        ids = ids or tuple(self._ended)
        async with asyncio.timeout(PATIENCE_S):
            for id in ids:
                await self._ended[id].wait()
        return [each.state.status for each in (await self.sagas(*ids)).values()]

    async def died_or_ended(self, id: SagaId) -> bool:
        """Whether it was the process that came to its end first."""
        both = [asyncio.ensure_future(each) for each in (self.runtime.died.wait(), self._ended[id].wait())]
        done, left = await asyncio.wait(both, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for each in left:
            each.cancel()
        assert done, "it neither died nor ended"
        return self.runtime.died.is_set()

    async def run(self, wish: Wish) -> Status:
        [status] = await self.ended(*await self.start(wish))
        return status

    async def sagas(self, *ids: SagaId) -> dict[SagaId, Instance]:
        storage = self.services["travel"].storage
        async with storage.reading() as reader:
            found = await storage.sagas.load(reader, ids)
        return {id: found[id] for id in ids}

    async def held(self, count: int) -> None:
        """Waits until so many messages are held back."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.wire.held) < count:
                self._holds.clear()
                await self._holds.wait()

    def let_go(self, matches: Callable[[Envelope], bool] = lambda _: True) -> None:
        """What is held and matches goes on its way; nothing is held from now on."""
        self.hold = lambda _: False
        self.wire.let_go(matches)

    async def heard(self, name: str, **wanted: Field) -> None:
        """Waits for a signal with these fields, from now on."""
        bell = asyncio.Event()
        self._heard.append((lambda told, fields: told == name and wanted.items() <= fields.items(), bell))
        async with asyncio.timeout(PATIENCE_S):
            await bell.wait()

    def named(self, name: str) -> list[dict[str, Field]]:
        return [fields for told, fields in self.told if told == name]

    async def fetch(self, database: str, sql: str, *arguments: object) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.dsns[database])
        try:
            return [tuple(row) for row in await connection.fetch(sql, *arguments)]
        finally:
            await connection.close()

    async def prepared(self) -> list[str]:
        """What is prepared in the databases of both participants."""
        sql = "select gid from pg_prepared_xacts where database = current_database() order by gid"
        return [gid for name in ("hotel", "plane") for (gid,) in await self.fetch(name, sql)]

    async def until_waiting(self, database: str, sessions: int) -> None:
        """Looks until so many sessions wait for a lock there."""
        sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = $1"
        name = self.dsns[database].rpartition("/")[2]
        async with asyncio.timeout(PATIENCE_S):
            while (await self.fetch(database, sql, name))[0][0] < sessions:
                pass

    async def stays(self) -> dict[str, list[str]]:
        """Whose effects stand, by participant. Fails when the places that they took are not those that are gone."""
        found = {}
        for name in ("hotel", "plane"):
            found[name] = [id for (id,) in await self.fetch(name, "select id from stays order by id")]
            [(gone,)] = await self.fetch(name, f"select sum({PLACES} - free)::bigint from places")
            assert gone == len(found[name]), f"{name}: places and stays don't add up"
            assert len(set(found[name])) == len(found[name]), f"{name}: an effect took place twice"
        return found

    async def open_operations(self) -> list[tuple[str, str]]:
        sql = "select gid, verb from xa_operations order by gid, verb"
        return [(gid, verb) for name in ("hotel", "plane") for gid, verb in await self.fetch(name, sql)]

    def _service(self, name: str, migrations: Sequence[Migration], **parts: Any) -> Service:
        storage = PostgresStorage(self.dsns[name], migrations, name=name)
        return Service(storage, self.wire, self.runtime, self.signals, **parts)

    def _is_held(self, each: Envelope) -> bool:
        self._holds.set()
        return self.hold(each)

    async def _pass(self, name: str) -> None:
        await self.gate(name)

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        self.told.append((name, fields))
        for matches, bell in self._heard:
            if matches(name, fields):
                bell.set()

    def _watch(self, moved: Sequence[Instance]) -> None:
        for each in moved:
            if each.state.status in (*ENDED, Status.STUCK) and each.id in self._ended:
                self._ended[each.id].set()


async def within(work: Awaitable[T]) -> T:
    """Its result. Raises `TimeoutError` when that takes too long."""
    async with asyncio.timeout(PATIENCE_S):
        return await work


async def databases(postgres: Postgres) -> dict[str, str]:
    """The dsns of three empty ones, by service: always the same ones, since to make one takes its time."""
    return {name: await _emptied(postgres, f"xa_{name}") for name in ("travel", "hotel", "plane")}


async def _emptied(postgres: Postgres, name: str) -> str:
    if not await postgres.run("select from pg_database where datname = $1", name):
        await postgres.create_database(name)
    for (gid,) in await postgres.run("select gid from pg_prepared_xacts where database = $1", name):
        await postgres.run(f"rollback prepared '{gid}'", database=name)
    await postgres.run("drop schema public cascade", database=name)
    await postgres.run("create schema public", database=name)
    return postgres.dsn(name)
