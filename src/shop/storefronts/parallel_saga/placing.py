"""The distributed transaction: a saga places the order, and the answer tells how it has ended."""

import re
from typing import Any, assert_never

from litestar import Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from shop.orders.desk import OrderView, Placed, Placing, Wrong
from shop.orders.domain import Status, priced
from shop.orders.parallel_saga import place_in_parallel
from shop.payments.gateway_wire import APPROVED
from shop.storefronts.parallel_saga.bodies import Delivery, Failed, Item, Order, Payment, Wanted
from shop.storefronts.parallel_saga.parts import delivery_shown, items_shown, order_shown, payment_shown
from shop.storefronts.parallel_saga.values import SCOPE, Desks, amount_of, checked, sku_of, slot_of
from shop.storefronts.rooms import Rooms
from shop.web import Answer, Problem, ProblemDetails, respond
from shop.web.hot import HotRequest, HotRoute, in_json
from shop.web.traces import TRACEPARENT

ROUTE = "/order/order/saga"
WAIT_S = 10.0

ENDED = ResponseSpec(
    list[Order | Payment | Delivery | list[Item]],
    description="Order, payment, delivery, items: four elements, in this order",
)
UNDONE = ResponseSpec(Failed, description="A participant refused: everything is undone. `Location` is the order's")
RUNNING = ResponseSpec(ProblemDetails, description="Not ended yet, look at `Location`; or too much in flight")


@post(ROUTE, status_code=200, responses={200: ENDED, 424: UNDONE, 503: RUNNING})
async def place(rooms: Desks, data: JSONBody[Wanted]) -> Response[Any]:
    """Places an order: payment, warehouse and delivery are asked at the same time."""
    return respond(await _placed(rooms, data))


def hot(rooms: Rooms) -> HotRoute:
    async def answer(request: HotRequest) -> Answer:
        return await _placed(rooms, request.read(Wanted))

    return HotRoute(re.compile(ROUTE), ROUTE, answer)


async def _placed(rooms: Rooms, data: Wanted) -> Answer:
    placing = placing_of(data)
    await rooms.warehouse.put_unknown([sku for sku, _ in placing.items])
    result = await rooms.orders.place(placing)
    match result:
        case Placed():
            return _answer(result, await rooms.orders.ended(result.order_id, WAIT_S))
        case Wrong():
            raise Problem(400, result.problem, result.detail)
        case _:
            assert_never(result)


def placing_of(data: Wanted) -> Placing:
    """By the card that the gateway approves: the dialect's orders name neither a user nor a wallet. Raises 400."""
    items = tuple((sku_of(checked("item", each.item)), each.amount) for each in data.contents)
    prices = tuple(amount_of("price", each.price) for each in data.contents)
    total = priced(items, prices)
    if isinstance(total, Wrong):
        raise Problem(400, total.problem, total.detail)
    return Placing(
        key=None,
        fingerprint=b"",
        scope=SCOPE,
        user_id="",
        email="",
        wallet_id="",
        items=items,
        calendar=SCOPE,
        slot=slot_of(data.time_delivery),
        pay_with=f"card:{APPROVED}",
        card=APPROVED,
        traceparent=TRACEPARENT.get(),
        details="{}",
        prices=prices,
        saga=place_in_parallel.name,
    )


def _answer(placed: Placed, ended: OrderView | None) -> Answer:
    place = (b"location", f"/order/order/{placed.order_id}".encode())
    if ended is None:
        detail = "the saga has not ended yet: its end can be read at Location"
        running = Problem(503, "still-running", detail, retry_after_s=1.0, saga_id=placed.order_id)
        status, headers, body = running.answer()
        return Answer(status, [*headers, place], body)
    if ended.status is not Status.APPROVED:
        return in_json(424, Failed(order_shown(ended).status), place)
    items = items_shown(ended, placed.number)
    parts = (order_shown(ended), payment_shown(ended), delivery_shown(ended), items)
    return in_json(200, parts, place)
