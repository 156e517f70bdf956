"""HTTP of orders: place one, look at it, follow it, take it back."""

from collections.abc import AsyncIterator
from typing import Annotated

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.response import Stream

from amends.connections import Reader
from amends.idempotency import IdempotencyKeys, fingerprint
from amends.messages import SagaId
from amends.pages import KeyScope
from amends.ports import Storage
from amends.service import Service
from shop.orders import tables
from shop.orders.cancelling import Cancelling
from shop.orders.desk import ROUTE, Desk, NewOrder
from shop.orders.domain import Wrong
from shop.orders.following import Following
from shop.orders.tables import Order
from shop.orders.views import OrderView, encode_view, view_of
from shop.web import (
    After,
    Answer,
    KeyHeader,
    Limit,
    Member,
    Problem,
    ProblemDetails,
    Route,
    answer_once,
    respond,
    signed_in,
)

PLACED = ResponseSpec(OrderView, description="The order is durable; it goes on behind the answer")
ENDED = ResponseSpec(OrderView, description="The final order, when `Prefer: wait=N` was sent and N were enough")
NO_ORDER = ResponseSpec(ProblemDetails, description="There is no such order of yours")
RUNNING = ResponseSpec(ProblemDetails, description="The first request with this key still runs")
WRONG = ResponseSpec(ProblemDetails, description="An unknown product, or the key was used for another request")
BUSY = ResponseSpec(ProblemDetails, description="Too many orders in flight: come back after `Retry-After` seconds")
IMPOSSIBLE = ResponseSpec(ProblemDetails, description="The order was rejected: there is nothing to cancel")
Prefer = Annotated[str, HeaderParameter(name="Prefer", max_length=100, description="`wait=N`: wait N seconds")]
_JSON = (b"content-type", b"application/json")
LastSeen = Annotated[str, HeaderParameter(name="Last-Event-ID", max_length=20, description="the last event seen")]


def routes(service: Service, desk: Desk, following: Following) -> list[Route]:
    """`/api/orders` and what is below."""
    return [signed_in(place_route(desk), *reading_routes(service.storage, following), cancel_route(service))]


def place_route(desk: Desk) -> HTTPRouteHandler:
    @post(ROUTE, status_code=202, responses={201: ENDED, 202: PLACED, 409: RUNNING, 422: WRONG, 503: BUSY})
    async def place(
        request: Member,
        key: KeyHeader,  # noqa: ARG001 - described here, read by the desk
        data: JSONBody[NewOrder],  # noqa: ARG001
        prefer: Prefer = "",  # noqa: ARG001
    ) -> Response[bytes]:
        """Places an order. Repeat it with the same key as often as you like."""
        headers = {name.lower(): value for name, value in request.scope["headers"]}
        return respond(await desk.place(headers, await request.body()))

    return place


def reading_routes(storage: Storage, following: Following) -> list[HTTPRouteHandler]:
    @get(ROUTE)
    async def mine(request: Member, limit: Limit = 20, after: After = "") -> list[OrderView]:
        """One's own orders, newest first; `after` is the id of the last one seen."""
        async with storage.reading() as reader:
            found = await tables.of_user(reader, request.user.user_id, limit, after or None)
            sagas = await storage.sagas.load(reader, [SagaId(order.id) for order in found])
        return [view_of(order, sagas[SagaId(order.id)]) for order in found]

    @get(ROUTE + "/{order_id:str}", responses={404: NO_ORDER})
    async def one(request: Member, order_id: FromPath[str]) -> OrderView:
        """One order, as it stands."""
        async with storage.reading() as reader:
            return await _view(storage, reader, await _own(reader, request, order_id))

    @get(ROUTE + "/{order_id:str}/events", responses={404: NO_ORDER}, media_type="text/event-stream")
    async def events(request: Member, order_id: FromPath[str], last_seen: LastSeen = "") -> Stream:
        """Server-sent events: each step as it happens, then the end."""
        async with storage.reading() as reader:
            order = await _own(reader, request, order_id)
        stream: AsyncIterator[bytes] = following.events(order.id, int(last_seen) if last_seen.isdecimal() else -1)
        return Stream(stream, media_type="text/event-stream", headers={"cache-control": "no-store"})

    return [mine, one, events]


def cancel_route(service: Service) -> HTTPRouteHandler:
    storage, cancelling, keys = service.storage, Cancelling(service), IdempotencyKeys(service.storage)

    @post(
        ROUTE + "/{order_id:str}/cancel",
        status_code=202,
        responses={202: PLACED, 404: NO_ORDER, 409: IMPOSSIBLE, 422: WRONG},
    )
    async def cancel(request: Member, order_id: FromPath[str], key: KeyHeader) -> Response[bytes]:
        """Takes an order back: before approval it is turned back, after it the money is refunded."""
        route = f"{ROUTE}/{order_id}/cancel"
        scope = KeyScope(request.user.user_id, "POST", route, key)
        async with storage.transaction(service.runtime.now()) as tx:
            order = await _own(tx, request, order_id)

            async def effect() -> Answer:
                refused = await cancelling.cancel(tx, order)
                if isinstance(refused, Wrong):
                    return Problem(409, refused.problem, refused.detail, saga_id=order.id).answer()
                taken_back = (await tables.load(tx, [order.id]))[order.id]
                return Answer(202, [_JSON], encode_view(await _view(storage, tx, taken_back)))

            return respond(await answer_once(keys, tx, scope, fingerprint(route.encode()), effect))

    return cancel


async def _view(storage: Storage, reader: Reader, order: Order) -> OrderView:
    saga = SagaId(order.id)
    return view_of(order, (await storage.sagas.load(reader, [saga]))[saga])


async def _own(reader: Reader, request: Member, order_id: str) -> Order:
    """Raises 404 for another's as for none at all."""
    order = (await tables.load(reader, [order_id])).get(order_id)
    if order is None or order.user_id != request.user.user_id or order.scope != "shop":
        raise Problem(404, "no-such-order", f"there is no order {order_id[:60]!r} of yours")
    return order
