"""The desks of all rooms for a test: here, or each call over a socket."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.threads import Threads
from amends.service import Service
from shop.billing.desk import BillingDesk
from shop.calls import Client, remote, serve
from shop.delivery.desk import DeliveryDesk
from shop.desks import COORDINATING, ROOMS, TAKING, Desks, remote_desks, served
from shop.notifications.desk import NotificationsDesk
from shop.ops.desks import FaultsDesk, HealthDesk, SagasDesk
from shop.payments.desk import PaymentsDesk
from shop.rooms import open_orders, open_users
from shop.servers import Edge, Servers
from shop.warehouse.desk import WarehouseDesk

HERE, AFAR = "here", "afar"
TOKEN = "the token of the shop's processes"


@asynccontextmanager
async def desks_of(services: Mapping[str, Service], where: str = HERE) -> AsyncIterator[Desks]:
    """Those of started services; payments calls no gateway."""
    async with AsyncExitStack() as undo:
        threads = Threads(2)
        undo.callback(threads.close)
        orders = open_orders(services["orders"], undo)
        desks = Desks(
            orders.desk,
            BillingDesk(services["billing"]),
            PaymentsDesk(services["payments"]),
            WarehouseDesk(services["warehouse"]),
            DeliveryDesk(services["delivery"]),
            await open_users(services["users"], threads),
            NotificationsDesk(services["notifications"]),
            {name: SagasDesk(services[name]) for name in COORDINATING},
            {name: HealthDesk(services[name]) for name in ROOMS},
            {name: FaultsDesk(services[name]) for name in TAKING},
        )
        undo.callback(orders.waiting.end)
        yield await undo.enter_async_context(from_afar(desks)) if where == AFAR else desks


@asynccontextmanager
async def from_afar(desks: Desks) -> AsyncIterator[Desks]:
    """The same, asked over a socket on loopback."""
    servers, client = Servers(AsyncioRuntime()), Client(AsyncioRuntime(), TOKEN)
    named: dict[str, object] = {}
    for room in ROOMS:
        sagas, faults = desks.sagas.get(room), desks.faults.get(room)
        named |= served(room, getattr(desks, room), desks.health[room], sagas, faults)
    address = await servers.start(Edge("calls", serve(named, TOKEN)), "127.0.0.1", 0)
    yield remote_desks(dict.fromkeys(ROOMS, address), client)
    client.let_go()
    await client.close()
    await servers.stop()


@asynccontextmanager
async def sagas_from_afar(desk: SagasDesk) -> AsyncIterator[SagasDesk]:
    """A desk that belongs to no room of the shop."""
    servers, client = Servers(AsyncioRuntime()), Client(AsyncioRuntime(), TOKEN)
    address = await servers.start(Edge("calls", serve({"sagas": desk}, TOKEN)), "127.0.0.1", 0)
    yield remote(SagasDesk, f"{address}/calls/sagas", client)
    await client.close()
    await servers.stop()
