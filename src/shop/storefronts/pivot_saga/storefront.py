"""The storefront `pivot-saga`: an order passes warehouse, payment (the pivot) and notification (best effort).

A translation of a client dialect into calls of the rooms, at four addresses: one takes orders, three belong to the
services and make them fail on request, for the orders of this storefront. What happens is told on the dialect's topics
(docs/reference/pivot-saga-topics.md). Users and items are whoever and whatever the clients name.
"""

import re
from datetime import datetime
from typing import assert_never, cast

import msgspec
from litestar import Litestar, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, SkipValidation

from amends.faults import Fault
from shop.orders.desk import Placed, Placing, Wrong
from shop.orders.pivot_saga import code_of, detail_of, place_with_pivot
from shop.payments.gateway_wire import APPROVED
from shop.storefronts.amounts import to_minor
from shop.storefronts.pivot_saga.bodies import Item, Mistakes, Order, decode_order, encode_order
from shop.storefronts.rooms import Common, Rooms, rates
from shop.web import Answer, Problem, ProblemDetails, build_app, open_to_all
from shop.web.asgi import App
from shop.web.hot import Hot, HotRequest, HotRoute, in_json
from shop.web.traces import TRACEPARENT

SCOPE = "pivot-saga"
ROUTE = "/neworder"
SERVICES = {"warehouse": "warehouse", "payment": "payments", "notification": "notifications"}
"""The dialect's names of its services, and the rooms."""

UNKNOWN = ResponseSpec(ProblemDetails, description="There is no such order")
BUSY = ResponseSpec(ProblemDetails, description="Too many orders in flight: come back after `Retry-After` seconds")
OFF = ResponseSpec(ProblemDetails, description="The shop was started without `--faults`")
Desks = NamedDependency[SkipValidation[Rooms]]


async def prepare(rooms: Rooms) -> None:
    """Nothing has to be there."""


def apps(rooms: Rooms, common: Common = Common()) -> dict[str, App]:  # noqa: B008 - a value, never changed
    """The storefront, and one application a service, as ASGI applications under their names."""
    about = "Warehouse, payment as the pivot, notification as best effort."
    orders = _app(_routes(rooms, [register, order]), common, rooms, SCOPE, about)
    edges: dict[str, App] = {SCOPE: Hot(orders, [_hot(rooms)], SCOPE, common.signals)}
    for service, room in SERVICES.items():
        name, about = f"{SCOPE}/{service}", f"Makes the dialect's {service} fail on request."
        edges[name] = cast(App, _app(_routes(rooms, [_switch(room)]), common, rooms, name, about))
    return edges


def _app(routes: Router, common: Common, rooms: Rooms, title: str, description: str) -> Litestar:
    return build_app(
        [routes, *common.routes],
        title=title,
        description=description,
        base="",
        runtime=rooms.runtime,
        rates=rates(),
        signals=common.signals,
    )


@post(ROUTE, status_code=200, responses={503: BUSY})
async def register(rooms: Desks, data: JSONBody[Order]) -> Order:
    """Takes an order; its saga runs behind the answer."""
    return await _registered(rooms, data)


def _hot(rooms: Rooms) -> HotRoute:
    async def answer(request: HotRequest) -> Answer:
        return in_json(200, await _registered(rooms, request.read(Order)))

    return HotRoute(re.compile(ROUTE), ROUTE, answer)


async def _registered(rooms: Rooms, data: Order) -> Order:
    placing = placing_of(data)
    await rooms.warehouse.put_unknown([sku for sku, _ in placing.items])
    result = await rooms.orders.place(placing)
    match result:
        case Placed():
            return msgspec.structs.replace(data, order_id=result.number, status=1, detail="")
        case Wrong():
            raise Problem(400, result.problem, result.detail)
        case _:
            assert_never(result)


@get("/order/{order_id:int}", responses={404: UNKNOWN})
async def order(rooms: Desks, order_id: FromPath[int]) -> Order:
    """An order as it stands; over when `status` is 3, 4 or 5."""
    found = await rooms.orders.numbered_order(SCOPE, order_id) if 0 < order_id < 2**63 else None
    if found is None:
        raise Problem(404, "no-such-order", f"there is no order {order_id}")
    sent, code = decode_order(found.details), code_of(found.order.status, found.saga)
    return msgspec.structs.replace(sent, order_id=found.number, status=code.value, detail=detail_of(found.saga))


def placing_of(data: Order) -> Placing:
    """Raises 400 for what can't be ordered."""
    for name, time in (("created_at", data.created_at), ("approved_at", data.approved_at)):
        if not _is_time(time):
            raise Problem(400, "bad-time", f"{name} has to be a time such as 2024-01-30T21:35:12.123456789+03:00")
    return Placing(
        key=None,
        fingerprint=b"",
        scope=SCOPE,
        user_id=f"{SCOPE}/{data.user_id}",
        email="",
        wallet_id="",
        items=tuple((f"{SCOPE}/{each.item_id}", each.quantity) for each in data.items),
        calendar=SCOPE,
        slot="",
        pay_with=f"card:{APPROVED}",
        card=APPROVED,
        price_minor=data.sum,
        prices=tuple(map(_price, data.items)),
        traceparent=TRACEPARENT.get(),
        details=encode_order(data).decode(),
        saga=place_with_pivot.name,
    )


def _switch(room: str) -> HTTPRouteHandler:
    @post("/set", status_code=200, responses={404: OFF})
    async def switch(rooms: Desks, data: JSONBody[Mistakes]) -> Mistakes:
        """From now on that share of the service's operations is refused, for the orders of this storefront."""
        await rooms.faults[room].put(Fault(refuse=data.mistakes, saga=place_with_pivot.name))
        return data

    return switch


def _routes(rooms: Rooms, handlers: list[HTTPRouteHandler]) -> Router:
    provided = Provide(lambda: rooms, sync_to_thread=False)
    return Router("/", route_handlers=[open_to_all(*handlers)], dependencies={"rooms": provided})


def _price(item: Item) -> int:
    """In minor units. Raises 400."""
    minor = to_minor(str(item.price).encode())
    if minor is None:
        raise Problem(400, "bad-amount", "price has to be a number from 0 with at most two decimals")
    return minor


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
