"""Every service of a comparison in this process, each with its own database, over one of the transports."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

from amends.adapters.inprocess import InProcess
from amends.commands.comparing.where import HTTP, KAFKA, Where, addresses
from amends.commands.comparing.withheld import Withheld
from amends.comparison import Comparison, Pattern
from amends.coordinator import Coordinator
from amends.decisions import Log, LoggedDecisions
from amends.errors import Elsewhere
from amends.ports import Runtime, Transport
from amends.schema import Migration
from amends.service import Service
from amends.signals import Signals
from amends.timers import Ticker

_CHORES_EVERY_S = 1.0
_AGAIN_S = 0.02


class World(NamedTuple):
    """`services` by name; `home` is the one that coordinates."""

    services: Mapping[str, Service]
    home: Service
    coordinator: Coordinator
    runtime: Runtime


@asynccontextmanager
async def opened(
    comparison: Comparison, pattern: Pattern, where: Where, runtime: Runtime, *, withheld: bool = False
) -> AsyncIterator[World]:
    """A world at work; may be opened again where it was. `withheld`: its coordinator can't decide."""
    await where.make(comparison.databases)
    async with AsyncExitStack() as stack:
        build = _Build(comparison, pattern, where, runtime, stack)
        services = await build.all(withheld)
        await build.start(services)
        home = services[comparison.coordinator]
        assert home.coordinator is not None, f"{home.name} coordinates nothing"
        await _until_it_may_start(home.coordinator, runtime)
        yield World(services, home, home.coordinator, runtime)


async def _until_it_may_start(coordinator: Coordinator, runtime: Runtime) -> None:
    """A broker takes a while to give it its shards."""
    while True:
        try:
            coordinator.new_id()
        except Elsewhere:
            await runtime.sleep(_AGAIN_S)
        else:
            return


def _last_before_the_decision(pattern: Pattern) -> set[str]:
    """Steps whose answers it takes to decide; all that is before them is answered."""
    saga = pattern.saga
    return {saga.steps[at].name for at in saga.groups[saga.commit_group - 1]}


class _Build:
    """Builds the services, and closes in reverse what was opened."""

    def __init__(
        self, comparison: Comparison, pattern: Pattern, where: Where, runtime: Runtime, stack: AsyncExitStack
    ) -> None:
        self._comparison = comparison
        self._pattern = pattern
        self._where = where
        self._runtime = runtime
        self._stack = stack
        self._signals = Signals()
        self._participants = {**comparison.participants, **pattern.participants}
        self._address = f"{comparison.coordinator}.coordinator"

    async def all(self, withheld: bool) -> dict[str, Service]:
        """Over HTTP the coordinating service is built last: it has to know where the others are."""
        others = [name for name in self._comparison.databases if name != self._comparison.coordinator]
        if self._where.over == HTTP:
            here = InProcess()
            there: Transport = await self._to_the_inbox(here)
            services = {name: await self._service(name, there) for name in others}
            asking = await self._to_participants(services, here)
        else:
            asking = there = await self._kafka() if self._where.over == KAFKA else InProcess()
            services = {name: await self._service(name, there) for name in others}
        if withheld:
            asking = Withheld(asking, self._address, _last_before_the_decision(self._pattern))
        return services | {self._comparison.coordinator: await self._service(self._comparison.coordinator, asking)}

    async def start(self, services: Mapping[str, Service]) -> None:
        await self._start_runners(services)
        for service in services.values():
            await service.start()
            ticker = Ticker(self._comparison.chores(service), self._runtime, self._signals, _CHORES_EVERY_S)
            ticker.start(f"{service.name} chores")
            self._stack.callback(ticker.stop)

    async def _start_runners(self, services: Mapping[str, Service]) -> None:
        prepared = self._pattern.prepared
        log = Log(services[self._comparison.coordinator].storage, [self._pattern.saga])
        for name in self._pattern.participants if prepared else ():
            assert prepared is not None
            runner = prepared.runner(services[name], self._where.dsn(name), LoggedDecisions(log))
            await runner.start()
            self._stack.push_async_callback(runner.stop)

    async def _service(self, name: str, transport: Transport) -> Service:
        storage = self._where.storage(name, self._migrations(name))
        await storage.migrate()
        service = Service(
            storage,
            transport,
            self._runtime,
            self._signals,
            participant=self._participants.get(name),
            definitions=[self._pattern.saga] if name == self._comparison.coordinator else (),
        )
        self._stack.push_async_callback(service.stop)
        return service

    def _migrations(self, name: str) -> list[Migration]:
        own = [*self._comparison.databases[name]]
        if self._pattern.prepared and name in self._pattern.prepared.tables:
            own.append(Migration(len(own) + 1, "prepared", tuple(self._pattern.prepared.tables[name])))
        return own

    async def _to_the_inbox(self, here: InProcess) -> Transport:
        """What participants answer later is posted to the coordinator."""
        from amends.adapters.http import HttpTransport, inbox_app  # noqa: PLC0415 its parser is optional

        app = inbox_app(here, [self._address])
        url = await self._stack.enter_async_context(self._comparison.serve(app, self._runtime))
        made = HttpTransport({self._address: url}, InProcess(), self._runtime, self._signals)
        self._stack.callback(made.close)
        return made

    async def _to_participants(self, services: Mapping[str, Service], here: InProcess) -> Transport:
        from amends.adapters.http import HttpTransport, participant_app  # noqa: PLC0415 its parser is optional

        routes = {}
        for name, service in services.items():
            if name in self._participants:
                serving = self._comparison.serve(participant_app(service), self._runtime)
                routes[name] = await self._stack.enter_async_context(serving)
        made = HttpTransport(routes, here, self._runtime, self._signals)
        self._stack.callback(made.close)
        return made

    async def _kafka(self) -> Transport:
        from amends.adapters.kafka import Kafka, KafkaSettings, create_topics  # noqa: PLC0415 its driver is optional

        settings = KafkaSettings(bootstrap=self._where.kafka, prefix=self._where.prefix)
        await create_topics(settings, addresses(self._comparison), 1)
        kafka = Kafka(settings, self._signals)
        self._stack.push_async_callback(kafka.close)
        return kafka
