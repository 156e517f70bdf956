"""The operator's edge: everything under `/ops/`, behind the operator's token, and `/metrics`."""

from collections.abc import Sequence
from typing import NamedTuple

from litestar import Litestar, Router

from amends.ports import Runtime
from amends.signals import Signals
from shop.desks import Desks
from shop.ops import check_api, fault_api, metrics, saga_api, stock_api
from shop.ops.check_api import Check
from shop.ops.door import Door
from shop.ops.metrics import Meter
from shop.ops.sagas import Sagas
from shop.web import Route, build_app


class Operating(NamedTuple):
    """What the operator's edge works with."""

    desks: Desks
    sagas: Sagas
    check: Check
    meter: Meter
    door: Door
    runtime: Runtime
    signals: Signals
    calendar: str = "shop"


def build_ops(operating: Operating, health: Sequence[Route] = (), pages: Sequence[Route] = ()) -> Litestar:
    """The application; `pages` are the console's, which has its own door-keeping."""
    desks, guards = operating.desks, [operating.door.guard]
    behind = Router(
        "/",
        guards=guards,
        security=[{"bearer": []}],
        route_handlers=[
            *stock_api.product_routes(desks.orders, desks.warehouse),
            *stock_api.slot_routes(desks.delivery, operating.calendar),
            *stock_api.wallet_routes(desks.billing),
            *saga_api.routes(operating.sagas, operating.runtime),
            *check_api.routes(operating.check),
            *fault_api.routes(desks.faults),
        ],
    )
    return build_app(
        [behind, metrics.route(operating.meter), *health, *pages],
        title="Operator",
        base="/ops",
        runtime=operating.runtime,
        signals=operating.signals,
        docs_guards=guards,
    )
