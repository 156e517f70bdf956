"""The shop's HTTP edges: the canonical API, the operator's, the storefronts, the card gateway.

They ask desks, and know no database but the gateway's: a room may be in this process or in another.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from litestar.handlers import HTTPRouteHandler

from amends.audit import Finding
from amends.ports import Runtime
from amends.signals import Signals
from shop.app import app
from shop.billing import api as billing_api
from shop.console import routes as console
from shop.delivery import api as delivery_api
from shop.desks import Desks
from shop.ops.app import Operating, build_ops
from shop.ops.door import Door
from shop.ops.metrics import Meter
from shop.ops.sagas import Sagas
from shop.orders import api as orders_api
from shop.orders.counter import Counter
from shop.payments.gateway import Gateway
from shop.payments.gateway_http import GatewayApp
from shop.servers import Edge
from shop.storefronts import every
from shop.storefronts.rooms import Common, Rooms
from shop.users import api as users_api
from shop.warehouse import api as warehouse_api
from shop.web import Rates, Verifier, build_app
from shop.web import health as web_health
from shop.web.hot import Hot


class Parts(NamedTuple):
    """What the edges are made of. `let_go` frees whoever waits behind one of them, when the shop closes."""

    desks: Desks
    verifier: Verifier
    door: Door
    meter: Meter
    check: Callable[[], Awaitable[list[Finding]]]
    stopping: Callable[[], bool]
    let_go: Callable[[], None]
    runtime: Runtime
    signals: Signals
    xa: bool = False


def api(parts: Parts) -> Edge:
    desks, rates = parts.desks, Rates()
    counter = Counter(desks.orders, parts.runtime, parts.verifier, rates)
    behind = build_app(
        [
            *users_api.routes(desks.users),
            *billing_api.routes(desks.billing),
            *warehouse_api.routes(desks.warehouse, lambda: desks.orders.products("shop")),
            *delivery_api.routes(desks.delivery),
            *orders_api.routes(desks.orders, counter),
            *health(parts),
        ],
        title="The shop",
        description="Placing an order is a transaction over orders, billing, payments, warehouse and delivery.",
        runtime=parts.runtime,
        verifier=parts.verifier,
        rates=rates,
        signals=parts.signals,
    )
    return Edge("api", Hot(behind, [orders_api.hot(counter)], "api", parts.signals, parts.stopping))


def ops(parts: Parts) -> Edge:
    desks = parts.desks
    definitions = [saga for sagas in app.sagas.values() for saga in sagas]
    sagas = Sagas(desks.sagas, definitions, desks.orders.cancel_saga)
    operating = Operating(desks, sagas, parts.check, parts.meter, parts.door, parts.runtime, parts.signals)
    return Edge("ops", build_ops(operating, health(parts), console.routes(operating)))


def storefronts(parts: Parts) -> list[Edge]:
    common = Common(health(parts), parts.signals)
    return [Edge(name, app) for name, app in every.apps(rooms(parts), common).items()]


def rooms(parts: Parts) -> Rooms:
    """What the storefronts need of the shop."""
    each = parts.desks
    return Rooms(
        each.orders,
        each.billing,
        each.payments,
        each.warehouse,
        each.delivery,
        each.users,
        each.notifications,
        parts.runtime,
        parts.verifier,
        each.faults,
        parts.xa,
    )


def gateway(gateway: Gateway) -> Edge:
    """The external card provider, simulated; on a port of its own that only payments is told."""
    return Edge("gateway", GatewayApp(gateway))


def health(parts: Parts) -> list[HTTPRouteHandler]:
    return web_health.routes(parts.desks.health, parts.stopping, parts.runtime)
