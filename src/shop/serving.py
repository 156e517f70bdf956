"""The composition root of the distributed shop: one room in this process, PostgreSQL and Kafka beneath it.

What a room is does not change: the same participant, desk and sagas as in `wiring`. Its neighbours are asked through
the desks that they serve (`shop.calls`), commands and replies go by Kafka. Two processes have no room of their own:
`front` serves the operator's edge and the storefronts, `gateway` is the simulated card provider.
"""

import gc
from collections.abc import Mapping
from contextlib import AsyncExitStack
from secrets import token_urlsafe
from typing import cast

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.captured import Captured
from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.debezium import slot_name
from amends.adapters.postgres.outbox_events import Pruning
from amends.adapters.postgres.slots import SlotGuard
from amends.adapters.prometheus import Meter
from amends.adapters.threads import Threads
from amends.audit import Finding
from amends.ports import Transport
from amends.rest import SHARING
from amends.service import Service
from amends.signals import Signals
from amends.timers import Chore
from shop import edges, seeds
from shop.app import app
from shop.billing.desk import BillingDesk
from shop.calls import Client, serve
from shop.delivery.desk import DeliveryDesk
from shop.desks import COORDINATING, TAKING, Desks, remote_desks, served
from shop.edges import Parts
from shop.faults import faults_of
from shop.notifications.desk import NotificationsDesk
from shop.ops import metrics
from shop.ops.desks import FaultsDesk, HealthDesk, SagasDesk
from shop.ops.door import Door, load_token
from shop.orders.desk import OrdersDesk
from shop.orders.waiting import Waiting
from shop.participants import PARTICIPANTS, TOLD
from shop.patience import patiently
from shop.rooms import HOLDING, gateway_at, open_expiry, open_gateway, open_orders, open_payments, open_users
from shop.servers import Edge, Servers
from shop.settings import GATEWAY, ServeSettings
from shop.storefronts import every
from shop.telemetry import open_telemetry
from shop.users.tokens import verifier_of
from shop.warehouse.desk import WarehouseDesk
from shop.web import build_app
from shop.web import health as web_health
from shop.web.asgi import App
from shop.xa import Voting

ADDRESSES = [*PARTICIPANTS, *(f"{name}.coordinator" for name in COORDINATING)]
HEARD = {topic for participant in PARTICIPANTS.values() for topic in participant.topics}
TOPICS = sorted(HEARD | {event.topic for event in TOLD})
SERVICES = tuple(name for name in app.databases if name != GATEWAY)


class ShopProcess:
    """One process of the distributed shop. `start` returns when it serves; `stop` when everything is at rest."""

    def __init__(self, settings: ServeSettings) -> None:
        self.runtime = AsyncioRuntime()
        self.signals = Signals()
        self.addresses: dict[str, str] = {}
        self.operator_token = ""
        self.stopping = False
        self._settings = settings
        self._undo = AsyncExitStack()
        self._client = Client(self.runtime, settings.token)
        self._waiting: Waiting | None = None
        self._guard: SlotGuard | None = None
        self._voting = Voting() if settings.xa else None

    async def start(self) -> None:
        """Goes on with what was in flight, serves. On failure everything is closed again."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        self.stopping = True
        await self._undo.aclose()

    async def _start(self) -> None:
        self._telemetry = open_telemetry(self._settings.telemetry, self.runtime, self.signals, self._undo)
        match self._settings.room:
            case "gateway":
                await self._open_gateway()
            case "front":
                await self._open_front()
            case _:
                await self._open_room()
        _settle_memory()

    async def _open_gateway(self) -> None:
        gateway = open_gateway(await self._storage(GATEWAY), self.runtime, self._undo)
        servers = self._servers()
        self._undo.callback(gateway.close)
        edge = edges.gateway(gateway)
        self.addresses[GATEWAY] = await servers.start(edge, self._settings.host, self._settings.port)

    async def _open_room(self) -> None:
        """The service first: whoever finds the room finds it ready."""
        room = self._settings.room
        service = await self._service(room)
        meter = Meter([service], self.signals, self.runtime)
        if self._guard is not None:
            self._guard.show(meter)
        if self._voting is not None:
            self._voting.show(meter)
        desk = await self._desk(service)
        health = HealthDesk(service)
        sagas = SagasDesk(service) if service.coordinator is not None else None
        faults = FaultsDesk(service) if room in TAKING else None
        behind = build_app(
            [*web_health.routes({room: health}, lambda: self.stopping, self.runtime), metrics.route(meter)],
            title=room,
            base="",
            runtime=self.runtime,
            signals=self.signals,
        )
        named = served(room, desk, health, sagas, faults)
        calls = serve(named, self._settings.token, self.signals, cast(App, behind))
        servers = self._servers()
        self.addresses[room] = await servers.start(Edge(room, calls), self._settings.host, self._settings.port)
        if isinstance(desk, OrdersDesk):
            await self._serve(servers, [edges.api(await self._parts(self._remote()._replace(orders=desk), meter))])

    async def _open_front(self) -> None:
        desks = self._remote()
        self.operator_token = load_token(self._settings.data / "operator.token", token_urlsafe)
        meter = Meter([], self.signals, self.runtime)
        parts = await self._parts(desks, meter)
        if self._settings.seed:
            await patiently(lambda: seeds.sow(desks, self.runtime.now()), self.runtime)
        await patiently(lambda: every.prepare(edges.rooms(parts)), self.runtime)
        await self._serve(self._servers(), [*edges.storefronts(parts), edges.ops(parts)])

    async def _service(self, room: str) -> Service:
        settings = self._settings
        storage = await self._storage(room)
        kafka = Kafka(
            KafkaSettings(bootstrap=settings.kafka, prefix=settings.prefix, session_s=settings.session_s), self.signals
        )
        self._undo.push_async_callback(kafka.close)
        await kafka.check([*ADDRESSES, *TOPICS])
        captured = settings.outbox == "events"
        transport: Transport = Captured(kafka, storage) if captured else kafka
        service = Service(
            storage,
            transport,
            self.runtime,
            self.signals,
            participant=self._voting.participant(room) if self._voting else PARTICIPANTS.get(room),
            definitions=app.sagas.get(room, ()),
            limit=settings.limit,
            tracer=self._telemetry.tracer,
            faults=faults_of(room, settings.faults, self.runtime),
            chores=self._chores_of_capture(storage) if captured else [],
        )
        self._undo.push_async_callback(service.stop)
        if self._voting is not None:
            await self._voting.open(service, settings.dsn(room), self._log_of_orders(), self._undo)
        await service.start()
        return service

    def _log_of_orders(self) -> PostgresStorage:
        """Where it is written: for who has to know what was decided."""
        storage = PostgresStorage(self._settings.dsn("orders"), app.databases["orders"], name="orders")
        self._undo.push_async_callback(storage.close)
        return storage

    def _chores_of_capture(self, storage: PostgresStorage) -> list[Chore]:
        """Events go after a while; the slot by which Debezium reads them is watched."""
        self._guard = SlotGuard(storage, slot_name(storage.name), self.runtime.now, self.signals)
        return [Pruning(storage, storage.events, self.runtime.now), self._guard]

    async def _storage(self, name: str) -> PostgresStorage:
        settings = self._settings
        outbox = settings.outbox if name in SERVICES else "relay"
        storage = PostgresStorage(settings.dsn(name), app.databases[name], name=name, outbox=outbox)
        self._undo.push_async_callback(storage.close)
        await storage.migrate()
        return storage

    async def _desk(self, service: Service) -> object:
        """What stands in front of the room, with what works beside it, started."""
        match service.name:
            case "orders":
                opened = open_orders(service, self._undo, rest=SHARING)
                self._waiting = opened.waiting
                return opened.desk
            case "users":
                threads = Threads(2)
                self._undo.callback(threads.close)
                return await open_users(service, threads)
            case "payments":
                gateway = gateway_at(self._settings.gateway, self.runtime, self._undo)
                return open_payments(service, self._undo, gateway)
            case _:
                if service.name in HOLDING:
                    open_expiry(service, self._undo)
                return _PLAIN[service.name](service)

    def _remote(self) -> Desks:
        """The desks of the other rooms."""
        self._undo.push_async_callback(self._client.close)
        return remote_desks(self._settings.rooms, self._client)

    async def _parts(self, desks: Desks, meter: Meter) -> Parts:
        verifier = await patiently(lambda: verifier_of(desks.users.jwks), self.runtime)
        door, runtime, signals = Door(self.operator_token), self.runtime, self.signals
        return Parts(
            desks,
            verifier,
            door,
            meter,
            self._check,
            lambda: self.stopping,
            self._client.let_go,
            runtime,
            signals,
            self._settings.xa,
        )

    async def _check(self) -> list[Finding]:
        """The invariants, on a snapshot of each database: the auditor reads them all."""
        async with AsyncExitStack() as stack:
            readers = {}
            for name in app.databases:
                storage = PostgresStorage(self._settings.dsn(name), app.databases[name], name=name)
                stack.push_async_callback(storage.close)
                readers[name] = await stack.enter_async_context(storage.reading())
            return [finding for check in app.checks for finding in await check(readers)]

    def _servers(self) -> Servers:
        """Whoever waits behind one is let go before it stops, and does not hold it up."""
        servers = Servers(self.runtime)
        self._undo.push_async_callback(servers.stop)
        self._undo.callback(self._let_go)
        return servers

    def _let_go(self) -> None:
        self._client.let_go()
        if self._waiting is not None:
            self._waiting.end()

    async def _serve(self, servers: Servers, served: list[Edge]) -> None:
        for edge in served:
            port = dict(self._settings.ports).get(edge.name, 0)
            self.addresses[edge.name] = await servers.start(self._telemetry.around(edge), self._settings.host, port)


_PLAIN: Mapping[str, type] = {
    "billing": BillingDesk,
    "warehouse": WarehouseDesk,
    "delivery": DeliveryDesk,
    "notifications": NotificationsDesk,
}


def _settle_memory() -> None:
    """What has been loaded by now stays: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
