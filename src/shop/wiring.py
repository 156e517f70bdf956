"""The composition root: which adapter goes where. Everything in one process, on one data folder."""

import gc
from contextlib import AsyncExitStack
from secrets import token_urlsafe

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import DataFolder, SqliteStorage
from amends.adapters.threads import Threads
from amends.audit import Finding
from amends.participant import Participant
from amends.service import Service
from amends.signals import Signals
from amends.timers import Ticker
from shop import edges, seeds
from shop.addresses import Addresses
from shop.app import app
from shop.billing.participant import billing
from shop.delivery.participant import delivery
from shop.edges import Parts
from shop.notifications.participant import notifications
from shop.ops.door import Door, load_token
from shop.ops.metrics import Meter
from shop.orders.cancelling import Cancelling
from shop.orders.following import Following
from shop.orders.participant import orders
from shop.orders.placing import OrderIntake
from shop.orders.waiting import Waiting
from shop.payments.caller import Caller
from shop.payments.gateway_client import HttpGateway
from shop.payments.participant import payments
from shop.servers import Servers
from shop.settings import Settings
from shop.storefronts import queue_saga
from shop.users.accounts import Accounts
from shop.users.passwords import Passwords
from shop.users.tokens import load_keys, tokens_of
from shop.warehouse.participant import warehouse

PARTICIPANTS: dict[str, Participant] = {
    "orders": orders,
    "billing": billing,
    "payments": payments,
    "warehouse": warehouse,
    "delivery": delivery,
    "notifications": notifications,
}


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
        for name in app.databases:
            await self._build(name)
        await self._serve_gateway()
        for service in self.services.values():
            await service.start()
            self._undo.push_async_callback(service.stop)
        await self._serve_edges(await self._parts())
        self._publish()
        _settle_memory(self, self._undo)

    def _own_folder(self) -> None:
        folder = DataFolder(self._settings.data)
        folder.open()
        self._undo.callback(folder.close)
        Addresses(self._settings.data).remove()
        self.operator_token = load_token(self._settings.data / "operator.token", token_urlsafe)

    async def _build(self, name: str) -> None:
        storage = SqliteStorage(self._settings.data / f"{name}.db", app.databases[name])
        self._undo.push_async_callback(storage.close)
        await storage.migrate()
        self.services[name] = Service(
            storage,
            self._transport,
            self.runtime,
            self.signals,
            participant=PARTICIPANTS.get(name),
            definitions=app.sagas.get(name, ()),
            limit=self._settings.limit,
        )

    async def _parts(self) -> Parts:
        """What stands between services and edges, started."""
        threads = Threads(2)
        self._undo.callback(threads.close)
        issuer, verifier = tokens_of(await load_keys(self.services["users"]))
        accounts = Accounts(self.services["users"], Passwords(threads))
        await seeds.sow(self.services, accounts)
        service, meter = self.services["orders"], Meter(list(self.services.values()), self.signals, self.runtime)
        waiting = Waiting(service)
        door, check = Door(self.operator_token), self.check
        intake = self._start_helpers(service)
        return Parts(
            self.services,
            intake,
            accounts,
            issuer,
            verifier,
            waiting,
            Following(service, waiting),
            door,
            meter,
            check,
            lambda: self.stopping,
        )

    def _start_helpers(self, service: Service) -> OrderIntake:
        """The intake of orders, the second sagas of cancelled ones, the calls of the card gateway."""
        intake = OrderIntake(service, self._transport.drained)
        intake.start("order intake")
        self._undo.push_async_callback(intake.stop)
        ticker = Ticker([Cancelling(service).begin_wanted], self.runtime, self.signals)
        ticker.start("cancelling")
        self._undo.callback(ticker.stop)
        caller = Caller(self.services["payments"], HttpGateway(self._gateway, self.runtime))
        caller.start("payments")
        self._undo.push_async_callback(caller.stop)
        return intake

    async def _serve_gateway(self) -> None:
        """Only payments is told where it is."""
        servers = Servers(self.runtime)
        self._undo.push_async_callback(servers.stop)
        closing = self.runtime.signal()
        self._undo.callback(closing.set)
        edge = edges.gateway(self.services["gateway"], closing)
        self._gateway = await servers.start(edge, "127.0.0.1", 0)

    async def _serve_edges(self, parts: Parts) -> None:
        settings, servers = self._settings, Servers(self.runtime)
        self._undo.push_async_callback(servers.stop)
        self._undo.callback(parts.waiting.end)
        await queue_saga.prepare(edges.queue_saga_rooms(parts))
        for edge in [*edges.storefronts(parts), edges.ops(parts), edges.api(parts)]:
            self.addresses[edge.name] = await servers.start(edge, settings.host, settings.port(edge.name))

    def _publish(self) -> None:
        """Whoever reads the file finds everything ready."""
        book = Addresses(self._settings.data)
        book.write(self.addresses)
        self._undo.callback(book.remove)


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
