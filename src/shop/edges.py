"""The shop's HTTP edges: the canonical API, the operator's, the storefronts, the card gateway."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, cast

from litestar.handlers import HTTPRouteHandler

from amends.audit import Finding
from amends.ports import Signal
from amends.service import Service
from shop.billing import api as billing_api
from shop.console import routes as console
from shop.delivery import api as delivery_api
from shop.ops.app import Operating, build_ops
from shop.ops.app import Rooms as OpsRooms
from shop.ops.door import Door
from shop.ops.metrics import Meter
from shop.ops.sagas import Sagas
from shop.orders import api as orders_api
from shop.orders import tables as orders
from shop.orders.desk import Desk
from shop.orders.following import Following
from shop.orders.hot import App, HotRoute
from shop.orders.placing import OrderIntake
from shop.orders.waiting import Waiting
from shop.payments.gateway import gateway_app
from shop.servers import Edge
from shop.storefronts import queue_saga
from shop.users import api as users_api
from shop.users.accounts import Accounts
from shop.users.tokens import Issuer, Verifier
from shop.warehouse import api as warehouse_api
from shop.web import Rates, build_app
from shop.web import health as web_health


class Parts(NamedTuple):
    """What the edges are made of."""

    services: Mapping[str, Service]
    intake: OrderIntake
    accounts: Accounts
    issuer: Issuer
    verifier: Verifier
    waiting: Waiting
    following: Following
    door: Door
    meter: Meter
    check: Callable[[], Awaitable[list[Finding]]]
    stopping: Callable[[], bool]


def api(parts: Parts) -> Edge:
    services, rates = parts.services, Rates()
    orders_service = services["orders"]
    desk = Desk(orders_service, parts.intake, parts.waiting, parts.verifier, rates)

    async def catalogue() -> list[orders.Product]:
        async with orders_service.storage.reading() as reader:
            return await orders.products(reader)

    behind = build_app(
        [
            *users_api.routes(parts.accounts, parts.issuer, parts.verifier, orders_service.runtime),
            *billing_api.routes(services["billing"]),
            *warehouse_api.routes(services["warehouse"], catalogue),
            *delivery_api.routes(services["delivery"]),
            *orders_api.routes(orders_service, desk, parts.following),
            *health(parts),
        ],
        title="The shop",
        description="Placing an order is a transaction over orders, billing, payments, warehouse and delivery.",
        runtime=orders_service.runtime,
        verifier=parts.verifier,
        rates=rates,
        signals=orders_service.signals,
    )
    return Edge("api", HotRoute(cast(App, behind), desk, parts.stopping, orders_service.signals))


def ops(parts: Parts) -> Edge:
    services = parts.services

    async def cancel_saga_of(order_id: str) -> str | None:
        async with services["orders"].storage.reading() as reader:
            return await orders.cancel_saga_of(reader, order_id)

    rooms = OpsRooms(services["orders"], services["billing"], services["warehouse"], services["delivery"])
    sagas = Sagas(list(services.values()), cancel_saga_of)
    runtime, signals = services["orders"].runtime, services["orders"].signals
    operating = Operating(rooms, sagas, parts.check, parts.meter, parts.door, runtime, signals)
    return Edge("ops", build_ops(operating, health(parts), console.routes(operating)))


def storefronts(parts: Parts) -> list[Edge]:
    signals = parts.services["orders"].signals
    app = queue_saga.app(queue_saga_rooms(parts), signals=signals, rates=Rates(), more=health(parts))
    return [Edge("queue-saga", app)]


def queue_saga_rooms(parts: Parts) -> queue_saga.Rooms:
    storage = {name: service.storage for name, service in parts.services.items()}
    return queue_saga.Rooms(
        storage["orders"],
        storage["billing"],
        storage["warehouse"],
        storage["delivery"],
        parts.intake,
        parts.services["orders"].runtime,
    )


def gateway(service: Service, closing: Signal) -> Edge:
    """The external card provider, simulated; on a port of its own that only payments is told."""
    return Edge("gateway", gateway_app(service.storage, service.runtime, closing=closing))


def health(parts: Parts) -> list[HTTPRouteHandler]:
    return web_health.routes(lambda: list(parts.services.values()), parts.stopping)
