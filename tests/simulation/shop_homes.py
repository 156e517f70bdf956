"""Boots the shop's processes in a simulated world: what `shop.wiring` composes, on simulated ports."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, NamedTuple

from argon2 import PasswordHasher

from amends.adapters.inprocess import InProcess
from amends.faults import Faults
from amends.hops import Handled, Moved
from amends.messages import Envelope, Operation
from amends.participant import Handler, Participant
from amends.ports import Storage
from amends.service import Service
from amends.signals import Field, Signals
from amends.testing.chances import Chances
from amends.testing.processes import Process
from amends.testing.watched import failed
from amends.testing.worlds import World, storage_of
from shop.app import app
from shop.billing.desk import BillingDesk
from shop.delivery.desk import DeliveryDesk
from shop.desks import COORDINATING, served
from shop.notifications.desk import NotificationsDesk
from shop.ops.desks import HealthDesk, SagasDesk
from shop.orders.counter import Counter
from shop.orders.definitions import PLACING
from shop.orders.desk import OrdersDesk, Placed, Placing, Wrong
from shop.participants import PARTICIPANTS, REFUSALS
from shop.payments.gateway import Gateway
from shop.rooms import HOLDING, open_expiry, open_orders, open_payments
from shop.users.accounts import Accounts
from shop.users.desk import UsersDesk
from shop.users.passwords import Offload, Passwords
from shop.users.tokens import Issuer, Verifier, load_keys
from shop.warehouse.desk import WarehouseDesk
from shop.web import Rates
from tests.simulation.shop_gateway import SimulatedGateway
from tests.simulation.shop_line import Home, Line

ROOMS = ("orders", "billing", "payments", "warehouse", "delivery", "users", "notifications")
GATEWAY = "gateway"

_PLAIN: Mapping[str, Callable[[Service], object]] = {
    "billing": BillingDesk,
    "warehouse": WarehouseDesk,
    "delivery": DeliveryDesk,
    "notifications": NotificationsDesk,
}
_SILENT = frozenset({"sagas.moved", "participant.hop", "card.answered"})
_SAGAS = [saga for sagas in app.sagas.values() for saga in sagas]


class Shape(NamedTuple):
    """Which rooms each process has. `queues`: messages go by queues in the process, `wire`: calls travel as JSON.

    `disk`: the databases are files of a simulated disk, by the adapter of production.
    """

    name: str
    processes: Mapping[str, Sequence[str]]
    queues: bool = False
    wire: bool = False
    disk: bool = False

    def processes_of(self) -> dict[str, list[str]]:
        """By room the processes that have it."""
        found: dict[str, list[str]] = {GATEWAY: [GATEWAY]}
        for process, rooms in self.processes.items():
            for room in rooms:
                found.setdefault(room, []).append(process)
        return found


EMBEDDED = Shape("embedded", {"shop": ROOMS}, queues=True)
ON_DISK = Shape("embedded, on a disk", {"shop": ROOMS}, queues=True, disk=True)
ON_NETWORK = Shape("one process on the network", {"shop": ROOMS})
APART = Shape("a process a room", {room: (room,) for room in ROOMS}, wire=True)
SHARED = Shape("orders twice", {**APART.processes, "orders-2": ("orders",)}, wire=True)


class Homes:
    """Makes the processes of a shape in a world; `verifier` knows whose token is whose."""

    def __init__(self, world: World, line: Line, shape: Shape, verifier: Verifier) -> None:
        self._world = world
        self._line = line
        self._shape = shape
        self._verifier = verifier

    def open(self) -> None:
        self._world.process(GATEWAY, self._boot_gateway)
        for name, rooms in self._shape.processes.items():
            self._world.process(name, self._boot(rooms))

    def _boot(self, rooms: Sequence[str]) -> Callable[[Process], Awaitable[None]]:
        async def boot(process: Process) -> None:
            home, undo, queues = Home(process), AsyncExitStack(), InProcess()
            signals = _heard(self._world, process.name)
            for room in rooms:
                home.services[room] = self._service(process, room, signals, queues)
            for service in home.services.values():
                await service.storage.migrate()
            for service in home.services.values():
                await service.start()
            for service in home.services.values():
                desk = await self._desk(home, service, undo, queues)
                sagas = SagasDesk(service) if service.name in COORDINATING else None
                home.desks |= served(service.name, desk, HealthDesk(service), sagas)
            process.leave = partial(_leave, home, undo)
            self._line.open(home)

        return boot

    async def _boot_gateway(self, process: Process) -> None:
        storage, runtime = storage_of(self._world, GATEWAY), process.runtime
        await storage.migrate()
        gateway = Gateway(storage, runtime)
        gateway.start(GATEWAY)
        process.leave = partial(_leave_gateway, gateway, storage)
        self._line.open(Home(process, gateway=gateway))

    def _service(self, process: Process, room: str, signals: Signals, queues: InProcess) -> Service:
        chances, taking = self._world.chances, PARTICIPANTS.get(room)
        return Service(
            storage_of(self._world, room),
            queues if self._shape.queues else self._world.network.way_of(process),
            process.runtime,
            signals,
            participant=None if taking is None else _failing(taking, chances),
            definitions=app.sagas.get(room, ()),
            faults=None if taking is None else _Refusing(process, room, chances),
        )

    def _counters(self, service: Service, desk: OrdersDesk) -> dict[str, Counter]:
        rates, runtime = Rates(), service.runtime
        return {saga: Counter(_By(desk, saga), runtime, self._verifier, rates) for saga in PLACING}

    async def _desk(self, home: Home, service: Service, undo: AsyncExitStack, queues: InProcess) -> object:
        match service.name:
            case "orders":
                opened = open_orders(service, undo, queues.drained if self._shape.queues else None)
                home.counters = self._counters(service, opened.desk)
                return opened.desk
            case "users":
                return await _open_users(service)
            case "payments":
                return open_payments(service, undo, SimulatedGateway(self._line))
            case _:
                if service.name in HOLDING:
                    open_expiry(service, undo)
                return _PLAIN[service.name](service)


async def _leave(home: Home, undo: AsyncExitStack) -> None:
    """As `shop.wiring` stops: everything in the reverse order."""
    await undo.aclose()
    for service in reversed(home.services.values()):
        await service.stop()


async def _leave_gateway(gateway: Gateway, storage: Storage) -> None:
    await gateway.stop()
    await storage.close()


class _By(OrdersDesk):
    """Has orders placed by a saga of another name, as storefronts do."""

    def __init__(self, desk: OrdersDesk, saga: str) -> None:
        self._desk = desk
        self._saga = saga
        self.ended = desk.ended  # type: ignore[method-assign]

    async def place(self, placing: Placing) -> Placed | Wrong:
        return await self._desk.place(placing._replace(saga=self._saga))


async def _open_users(service: Service) -> UsersDesk:
    """As `shop.rooms.open_users` does, with passwords that cost little."""
    keys = await load_keys(service)
    return UsersDesk(service, Accounts(service, _CheapPasswords(_Inline())), Issuer(keys[-1]))


class _Inline:
    async def run(self, work: Callable[[], Any]) -> Any:
        return work()


class _CheapPasswords(Passwords):
    def __init__(self, offload: Offload) -> None:
        super().__init__(offload)
        self._hasher = PasswordHasher(1, 8, parallelism=1)


class _Refusing(Faults):
    """Refuses by chance what may be refused; now and then says only that it failed."""

    def __init__(self, process: Process, room: str, chances: Chances) -> None:
        super().__init__(process.runtime, _SAGAS, REFUSALS.get(room))
        self._chances = chances

    def refuses(self, envelope: Envelope) -> bool:
        may = envelope.operation is Operation.ACTION and envelope.step in self._refusable
        return may and self._chances.fires("participant refuses")

    def sent(self, reply: Envelope) -> list[tuple[float, Envelope]]:
        return super().sent(failed(reply) if self._chances.fires("answer failed") else reply)


def _failing(participant: Participant, chances: Chances) -> Participant:
    """The same participant, whose handlers fail now and then, before or after their work."""
    tried = participant.copy()
    for name, handler in participant._handlers.items():
        tried._handlers[name] = handler._replace(function=_now_and_then(handler, chances))
    return tried


def _now_and_then(handler: Handler, chances: Chances) -> Callable[..., Awaitable[Any]]:
    async def tried(*arguments: Any) -> Any:
        fails = chances.fires("participant fails")
        if fails and chances.of("participant fails early").random() < 0.5:
            raise RuntimeError("failed before its work, by chance")
        answer = await handler.function(*arguments)
        if fails:
            raise RuntimeError("failed after its work, by chance")
        return answer

    return tried


def _heard(world: World, who: str) -> Signals:
    """Notes what a process says of itself when something is wrong, each move of a saga, each answer."""
    signals = Signals()
    signals.listen(_Heard(world, who))
    signals.observe(_Observed(world, who))
    return signals


class _Heard:
    def __init__(self, world: World, who: str) -> None:
        self._world = world
        self._who = who

    def __call__(self, name: str, fields: dict[str, Field]) -> None:
        if name not in _SILENT:
            told = ", ".join(f"{key} {value}" for key, value in fields.items() if key not in ("saga", "traceparent"))
            self._world.tell(self._who, name, told, str(fields.get("saga", "")))


class _Observed:
    def __init__(self, world: World, who: str) -> None:
        self._world = world
        self._who = who

    def moved(self, hop: Moved) -> None:
        for id, change in hop.changes.items():
            phases = ", ".join(step.phase.value for step in change.after.state.steps)
            self._world.tell(self._who, "moved", f"{change.after.state.status.value} [{phases}]", id)

    def handled(self, hop: Handled) -> None:
        for reply in hop.replies:
            self._world.tell(self._who, "answered", f"{reply.step} {reply.operation}: {reply.outcome}", reply.saga)
