"""HTTP of orders: place one, look at it, follow it, take it back."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.response import Stream

from amends.pages import KeyScope
from shop.orders.counter import ROUTE, Counter, NewOrder
from shop.orders.desk import OrdersDesk, OrderView
from shop.orders.following import Following
from shop.web import After, Answer, KeyHeader, Limit, Member, Problem, ProblemDetails, Route, respond, signed_in
from shop.web.hot import HotRequest, HotRoute, LetIn

T = TypeVar("T")

PLACED = ResponseSpec(OrderView, description="The order is durable; it goes on behind the answer")
ENDED = ResponseSpec(OrderView, description="The final order, when `Prefer: wait=N` was sent and N were enough")
NO_ORDER = ResponseSpec(ProblemDetails, description="There is no such order of yours")
RUNNING = ResponseSpec(ProblemDetails, description="The first request with this key still runs")
WRONG = ResponseSpec(ProblemDetails, description="An unknown product, or the key was used for another request")
BUSY = ResponseSpec(ProblemDetails, description="Too many orders in flight: come back after `Retry-After` seconds")
IMPOSSIBLE = ResponseSpec(ProblemDetails, description="The order was rejected: there is nothing to cancel")
Prefer = Annotated[str, HeaderParameter(name="Prefer", max_length=100, description="`wait=N`: wait N seconds")]
LastSeen = Annotated[str, HeaderParameter(name="Last-Event-ID", max_length=20, description="the last event seen")]


def routes(orders: OrdersDesk, counter: Counter) -> list[Route]:
    """`/api/orders` and what is below."""
    return [signed_in(place_route(counter), *reading_routes(orders), cancel_route(orders))]


def place_route(counter: Counter) -> HTTPRouteHandler:
    @post(ROUTE, status_code=202, responses={201: ENDED, 202: PLACED, 409: RUNNING, 422: WRONG, 503: BUSY})
    async def place(
        request: Member,
        key: KeyHeader,  # noqa: ARG001 - described here, read at the counter
        data: JSONBody[NewOrder],  # noqa: ARG001
        prefer: Prefer = "",  # noqa: ARG001
    ) -> Response[bytes]:
        """Places an order. Repeat it with the same key as often as you like."""
        headers = {name.lower(): value for name, value in request.scope["headers"]}
        return respond(await counter.place(headers, await request.body()))

    return place


def hot(counter: Counter) -> HotRoute:
    """The same without the framework: the counter sees to everything itself."""

    async def answer(request: HotRequest) -> Answer:
        return await counter.place(request.headers, request.body)

    return HotRoute(re.compile(ROUTE), ROUTE, answer, LetIn.BY_HANDLER)


def reading_routes(orders: OrdersDesk) -> list[HTTPRouteHandler]:
    following = Following(orders)

    @get(ROUTE)
    async def mine(request: Member, limit: Limit = 20, after: After = "") -> list[OrderView]:
        """One's own orders, newest first; `after` is the id of the last one seen."""
        return await orders.orders_of(request.user.user_id, limit, after or None)

    @get(ROUTE + "/{order_id:str}", responses={404: NO_ORDER})
    async def one(request: Member, order_id: FromPath[str]) -> OrderView:
        """One order, as it stands."""
        return _own(await orders.order(order_id, request.user.user_id), order_id)

    @get(ROUTE + "/{order_id:str}/events", responses={404: NO_ORDER}, media_type="text/event-stream")
    async def events(request: Member, order_id: FromPath[str], last_seen: LastSeen = "") -> Stream:
        """Server-sent events: each step as it happens, then the end."""
        order = _own(await orders.order(order_id, request.user.user_id), order_id)
        stream: AsyncIterator[bytes] = following.events(order.id, int(last_seen) if last_seen.isdecimal() else -1)
        return Stream(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    return [mine, one, events]


def cancel_route(orders: OrdersDesk) -> HTTPRouteHandler:
    @post(
        ROUTE + "/{order_id:str}/cancel",
        status_code=202,
        responses={202: PLACED, 404: NO_ORDER, 409: IMPOSSIBLE, 422: WRONG},
    )
    async def cancel(request: Member, order_id: FromPath[str], key: KeyHeader) -> Response[bytes]:
        """Takes an order back: before approval it is turned back, after it the money is refunded."""
        scope = KeyScope(request.user.user_id, "POST", f"{ROUTE}/{order_id}/cancel", key)
        return respond(_own(await orders.cancel(order_id, scope), order_id))

    return cancel


def _own(found: T | None, order_id: str) -> T:
    """Raises 404 for another's as for none at all."""
    if found is None:
        raise Problem(404, "no-such-order", f"there is no order {order_id[:60]!r} of yours")
    return found
