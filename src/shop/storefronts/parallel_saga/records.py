"""Direct access to the participants: what clients keep by hand has no effect on stock, money or couriers."""

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from shop.orders.domain import MOST_ITEMS
from shop.storefronts.amounts import to_major
from shop.storefronts.parallel_saga.bodies import (
    Delivery,
    Item,
    Line,
    NewDelivery,
    NewItem,
    NewOrder,
    NewPayment,
    Order,
    Payment,
)
from shop.storefronts.parallel_saga.parts import delivery_shown, items_shown, order_shown, payment_shown
from shop.storefronts.parallel_saga.shelf import Shelf
from shop.storefronts.parallel_saga.values import SCOPE, Desks, Id, amount_of, checked, line_of, slot_of, time_of
from shop.storefronts.rooms import Rooms
from shop.web import Problem, ProblemDetails

UNKNOWN = ResponseSpec(ProblemDetails, description="There is nothing under this id")
FIXED = ResponseSpec(ProblemDetails, description="A saga made it: only sagas change it")
PASSED = ResponseSpec(ProblemDetails, description="The time has passed")
CHANGING = {404: UNKNOWN, 409: FIXED}


@post("/order/order", status_code=200)
async def add_order(rooms: Desks, data: JSONBody[NewOrder]) -> Order:
    record = _order(_new_id(rooms, data.id), data)
    await _orders(rooms).add([record])
    return record


@get("/order/order/{id:str}", responses={404: UNKNOWN})
async def order(rooms: Desks, id: Id) -> Order:
    return await _orders(rooms).get(id)


@put("/order/order/{id:str}", responses=CHANGING)
async def replace_order(rooms: Desks, id: Id, data: JSONBody[NewOrder]) -> Order:
    return await _orders(rooms).replace(_order(_same_id(id, data.id), data))


@delete("/order/order/{id:str}", status_code=200, responses=CHANGING)
async def remove_order(rooms: Desks, id: Id) -> Order:
    """Answers what was removed."""
    return await _orders(rooms).remove(id)


@post("/payment/payment", status_code=200)
async def add_payment(rooms: Desks, data: JSONBody[NewPayment]) -> Payment:
    record = _payment(_new_id(rooms, data.id), data)
    await _payments(rooms).add([record])
    return record


@get("/payment/payment/{id:str}", responses={404: UNKNOWN})
async def payment(rooms: Desks, id: Id) -> Payment:
    return await _payments(rooms).get(id)


@put("/payment/payment/{id:str}", responses=CHANGING)
async def replace_payment(rooms: Desks, id: Id, data: JSONBody[NewPayment]) -> Payment:
    return await _payments(rooms).replace(_payment(_same_id(id, data.id), data))


@delete("/payment/payment/{id:str}", status_code=200, responses=CHANGING)
async def remove_payment(rooms: Desks, id: Id) -> Payment:
    """Answers what was removed."""
    return await _payments(rooms).remove(id)


@post("/warehouse/warehouse", status_code=200)
async def add_items(rooms: Desks, data: JSONBody[list[NewItem]]) -> list[Item]:
    """Between 1 and 100 at once."""
    if not 0 < len(data) <= MOST_ITEMS:
        raise Problem(400, "bad-items", f"between 1 and {MOST_ITEMS} items are kept at once, not {len(data)}")
    records = [_item(_new_id(rooms, each.id), each) for each in data]
    await _items(rooms).add(records)
    return records


@get("/warehouse/warehouse/{id:str}", responses={404: UNKNOWN})
async def item(rooms: Desks, id: Id) -> Item:
    return await _items(rooms).get(id)


@put("/warehouse/warehouse/{id:str}", responses=CHANGING)
async def replace_item(rooms: Desks, id: Id, data: JSONBody[NewItem]) -> Item:
    return await _items(rooms).replace(_item(_same_id(id, data.id), data))


@delete("/warehouse/warehouse/{id:str}", status_code=200, responses=CHANGING)
async def remove_item(rooms: Desks, id: Id) -> Item:
    """Answers what was removed."""
    return await _items(rooms).remove(id)


@post("/delivery/delivery", status_code=200, responses={417: PASSED})
async def add_delivery(rooms: Desks, data: JSONBody[NewDelivery]) -> Delivery:
    record = await _delivery(rooms, _new_id(rooms, data.id), data)
    await _deliveries(rooms).add([record])
    return record


@get("/delivery/delivery/{id:str}", responses={404: UNKNOWN})
async def delivery(rooms: Desks, id: Id) -> Delivery:
    return await _deliveries(rooms).get(id)


@put("/delivery/delivery/{id:str}", responses={**CHANGING, 417: PASSED})
async def replace_delivery(rooms: Desks, id: Id, data: JSONBody[NewDelivery]) -> Delivery:
    return await _deliveries(rooms).replace(await _delivery(rooms, _same_id(id, data.id), data))


@delete("/delivery/delivery/{id:str}", status_code=200, responses=CHANGING)
async def remove_delivery(rooms: Desks, id: Id) -> Delivery:
    """Answers what was removed."""
    return await _deliveries(rooms).remove(id)


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    *(add_order, order, replace_order, remove_order),
    *(add_payment, payment, replace_payment, remove_payment),
    *(add_items, item, replace_item, remove_item),
    *(add_delivery, delivery, replace_delivery, remove_delivery),
)


def _orders(rooms: Rooms) -> Shelf[Order]:
    async def of_saga(id: str) -> Order | None:
        view = await rooms.orders.order_in(SCOPE, id)
        return None if view is None else order_shown(view)

    return Shelf(rooms.orders, Order, of_saga)


def _payments(rooms: Rooms) -> Shelf[Payment]:
    async def of_saga(id: str) -> Payment | None:
        view = await rooms.orders.order_in(SCOPE, id)
        return None if view is None else payment_shown(view)

    return Shelf(rooms.payments, Payment, of_saga)


def _items(rooms: Rooms) -> Shelf[Item]:
    async def of_saga(id: str) -> Item | None:
        number, _ = line_of(id) or (0, 0)
        numbered = await rooms.orders.numbered_order(SCOPE, number)
        view = None if numbered is None else await rooms.orders.order_in(SCOPE, numbered.order.id)
        items = [] if view is None else items_shown(view, number)
        return next((each for each in items if each.id == id), None)

    return Shelf(rooms.warehouse, Item, of_saga)


def _deliveries(rooms: Rooms) -> Shelf[Delivery]:
    async def of_saga(id: str) -> Delivery | None:
        view = await rooms.orders.order_in(SCOPE, id)
        return None if view is None else delivery_shown(view)

    return Shelf(rooms.delivery, Delivery, of_saga)


def _order(id: str, data: NewOrder) -> Order:
    lines = [Line(checked("item", each.item), each.amount, _major("price", each.price)) for each in data.contents]
    return Order(id, data.status, lines)


def _payment(id: str, data: NewPayment) -> Payment:
    return Payment(id, data.order_id.lower(), _major("cost", data.cost), data.status)


def _item(id: str, data: NewItem) -> Item:
    return Item(id, data.order_id.lower(), checked("item", data.item), data.status)


async def _delivery(rooms: Rooms, id: str, data: NewDelivery) -> Delivery:
    """Raises 417 for a time that delivery books no more."""
    slot = slot_of(data.time_delivery)
    if await rooms.delivery.too_late(SCOPE, slot):
        raise Problem(417, "time-passed", f"timeDelivery {data.time_delivery} has passed")
    return Delivery(id, data.order_id.lower(), time_of(slot), data.status)


def _new_id(rooms: Rooms, given: str | None) -> str:
    if given is not None:
        raise Problem(400, "bad-request", "id: it is given here; put replaces what is there")
    return rooms.runtime.new_id()


def _same_id(id: str, given: str | None) -> str:
    if given is not None and given.lower() != id.lower():
        raise Problem(400, "bad-request", f"id: the path says {id}")
    return id.lower()


def _major(field: str, number: msgspec.Raw) -> float:
    """As it is shown; exact for every amount that `amount_of` lets through."""
    return to_major(amount_of(field, number))
