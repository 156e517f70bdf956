"""The composition root: which adapter goes where. Everything in one process, on one data folder."""

import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from secrets import token_urlsafe
from typing import TYPE_CHECKING

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.prometheus import Meter
from amends.adapters.sqlite import DataFolder
from amends.adapters.threads import Threads
from amends.audit import Finding
from amends.ports import Storage
from amends.service import Service
from amends.signals import Signals
from amends.timers import Ticker
from shop import edges, seeds
from shop.addresses import Addresses
from shop.app import app
from shop.billing.desk import BillingDesk
from shop.databases import open_databases
from shop.delivery.desk import DeliveryDesk
from shop.desks import COORDINATING, TAKING, Desks
from shop.edges import Parts
from shop.faults import faults_of
from shop.notifications.desk import NotificationsDesk
from shop.ops.desks import FaultsDesk, HealthDesk, SagasDesk
from shop.ops.door import Door, load_token
from shop.participants import PARTICIPANTS
from shop.rooms import HOLDING, gateway_at, open_expiry, open_gateway, open_orders, open_payments, open_users
from shop.servers import Servers
from shop.settings import Settings
from shop.storefronts import every
from shop.telemetry import open_telemetry
from shop.users.tokens import verifier_of
from shop.warehouse.desk import WarehouseDesk

if TYPE_CHECKING:
    from shop.xa import Voting


class Shop:
    """The whole shop in this process. `start` returns when it serves; `stop` when everything is at rest."""

    def __init__(self, settings: Settings) -> None:
        self.runtime = AsyncioRuntime()
        self.signals = Signals()
        self.services: dict[str, Service] = {}
        self.addresses: dict[str, str] = {}
        self.operator_token = ""
        self.stopping = False
        self._settings = settings
        self._gateway = ""
        self._transport = InProcess()
        self._undo = AsyncExitStack()

    async def start(self) -> None:
        """Opens the folder, goes on with what was in flight, serves. On failure everything is closed again."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Takes no more, finishes the hops at work, closes the files: everything in the reverse order of `start`."""
        self.stopping = True
        await self._undo.aclose()

    async def check(self) -> list[Finding]:
        """The invariants, on a snapshot of each database."""
        async with AsyncExitStack() as stack:
            storages = {name: self.services[name].storage for name in app.databases}
            readers = {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}
            return [finding for check in app.checks for finding in await check(readers)]

    async def _start(self) -> None:
        self._own_folder()
        self._telemetry = open_telemetry(self._settings.telemetry, self.runtime, self.signals, self._undo)
        self._voting = _voting() if self._settings.xa else None
        databases = await open_databases(self._settings, self._undo)
        for name in app.databases:
            await self._build(databases.storage(name))
        await self._serve_gateway()
        for name, service in self.services.items():
            self._undo.push_async_callback(service.stop)
            if self._voting is not None:
                await self._voting.open(service, databases.dsn(name), self.services["orders"].storage, self._undo)
            await service.start()
        await self._serve_edges(await self._parts())
        self._publish()
        _settle_memory(self, self._undo)

    def _own_folder(self) -> None:
        folder = DataFolder(self._settings.data)
        folder.open()
        self._undo.callback(folder.close)
        Addresses(self._settings.data).remove()
        self.operator_token = load_token(self._settings.data / "operator.token", token_urlsafe)

    async def _build(self, storage: Storage) -> None:
        name = storage.name
        self._undo.push_async_callback(storage.close)
        await storage.migrate()
        self.services[name] = Service(
            storage,
            self._transport,
            self.runtime,
            self.signals,
            participant=self._voting.participant(name) if self._voting else PARTICIPANTS.get(name),
            definitions=app.sagas.get(name, ()),
            limit=self._settings.limit,
            tracer=self._telemetry.tracer,
            faults=faults_of(name, self._settings.faults, self.runtime),
        )

    async def _parts(self) -> Parts:
        """What stands between services and edges, started."""
        desks, let_go = await self._open_rooms()
        await seeds.sow(desks, self.runtime.now())
        verifier = await verifier_of(desks.users.jwks)
        meter = Meter(list(self.services.values()), self.signals, self.runtime)
        if self._voting is not None:
            self._voting.show(meter)
        door, xa = Door(self.operator_token), self._settings.xa
        stopping, runtime, signals = lambda: self.stopping, self.runtime, self.signals
        return Parts(desks, verifier, door, meter, self.check, stopping, let_go, runtime, signals, xa)

    async def _open_rooms(self) -> tuple[Desks, Callable[[], None]]:
        """All of them are here: to ask one is to call a function. Returns what lets go whoever waits there, too."""
        services, undo = self.services, self._undo
        threads = Threads(2)
        undo.callback(threads.close)
        users = await open_users(services["users"], threads)
        beside = bool(self._settings.postgres)  # the server works on one batch while this process works on another
        orders = open_orders(services["orders"], undo, self._transport.drained, overlapping=beside)
        for room in HOLDING:
            open_expiry(services[room], undo)
        desks = Desks(
            orders.desk,
            BillingDesk(services["billing"]),
            open_payments(services["payments"], undo, gateway_at(self._gateway, self.runtime, undo)),
            WarehouseDesk(services["warehouse"]),
            DeliveryDesk(services["delivery"]),
            users,
            NotificationsDesk(services["notifications"]),
            {name: SagasDesk(services[name]) for name in COORDINATING},
            {name: HealthDesk(service) for name, service in services.items()},
            {name: FaultsDesk(services[name]) for name in TAKING},
        )
        return desks, orders.waiting.end

    async def _serve_gateway(self) -> None:
        """Only payments is told where it is."""
        gateway = open_gateway(self.services["gateway"].storage, self.runtime, self._undo)
        servers = Servers(self.runtime)
        self._undo.push_async_callback(servers.stop)
        self._undo.callback(gateway.close)
        self._gateway = await servers.start(edges.gateway(gateway), "127.0.0.1", 0)

    async def _serve_edges(self, parts: Parts) -> None:
        settings, servers = self._settings, Servers(self.runtime)
        self._undo.push_async_callback(servers.stop)
        self._undo.callback(parts.let_go)
        await every.prepare(edges.rooms(parts))
        for edge in [*edges.storefronts(parts), edges.ops(parts), edges.api(parts)]:
            traced, port = self._telemetry.around(edge), settings.port(edge.name)
            self.addresses[edge.name] = await servers.start(traced, settings.host, port)

    def _publish(self) -> None:
        """Whoever reads the file finds everything ready."""
        book = Addresses(self._settings.data)
        book.write(self.addresses)
        self._undo.callback(book.remove)


def _voting() -> "Voting":
    from shop.xa import Voting  # noqa: PLC0415 most shops have no PostgreSQL

    return Voting()


def _settle_memory(shop: Shop, undo: AsyncExitStack) -> None:
    """Values here hold no cycles: the collector looks once a second for the few that there are, not at every turn."""
    gc.collect()
    gc.freeze()
    gc.disable()
    ticker = Ticker([_collect], shop.runtime, shop.signals, tick_s=1.0)
    ticker.start("memory")
    undo.callback(gc.enable)
    undo.callback(ticker.stop)


async def _collect() -> None:
    gc.collect(1)
