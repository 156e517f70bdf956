"""The storefront `queue-saga`: an order is a saga over queues, answered at once, its outcome read later.

A translation of a client dialect (names and misspellings are its own) into calls of the rooms. Logins, products and
orders of this storefront live in the scope `queue-saga`; other storefronts' lists don't show them.

- `POST /billing/register` of a known login answers the account as it is: a script that runs again resets nothing.
- A product is written to the catalogue first and to the warehouse second, and is there once it is stocked: a crash
  between the two leaves an unused number and nothing that can be seen.
- A booking has the number of its order: an order books once.
"""

import re
from typing import Annotated, assert_never

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation

from shop.billing.desk import Balance
from shop.billing.domain import is_amount
from shop.orders.desk import Order, Placed, Placing, Wrong
from shop.orders.domain import check_items, normal_slot
from shop.storefronts.amounts import to_major, to_minor
from shop.storefronts.queue_saga.bodies import (
    Accepted,
    Account,
    Delivery,
    LastOrder,
    NewOrder,
    NewProduct,
    ProductId,
    Refill,
    StockedProduct,
)
from shop.storefronts.queue_saga.status import status_of
from shop.storefronts.rooms import Common, Rooms, rates
from shop.web import Answer, Problem, ProblemDetails, build_app, open_to_all
from shop.web.asgi import App
from shop.web.hot import Hot, HotRequest, HotRoute, in_json
from shop.web.traces import TRACEPARENT

SCOPE = "queue-saga"
ROUTE = "/orders/"
COURIERS = 1  # of each delivery time

UNKNOWN = ResponseSpec(ProblemDetails, description="There is no such login, product or order")
BUSY = ResponseSpec(ProblemDetails, description="Too many orders in flight: come back after `Retry-After` seconds")
Login = Annotated[str, QueryParameter(min_length=1, max_length=100)]


Desks = NamedDependency[SkipValidation[Rooms]]


async def prepare(rooms: Rooms) -> None:
    """Opens the storefront's calendar; may run at every start."""
    await rooms.delivery.put_calendar(SCOPE, COURIERS)


def apps(rooms: Rooms, common: Common = Common()) -> dict[str, App]:  # noqa: B008 - a value, never changed
    """The storefront, as an ASGI application under its name."""
    made = build_app(
        [routes(rooms), *common.routes],
        title="queue-saga",
        description="Orders as sagas over queues. One courier exists for each delivery time.",
        base="",
        runtime=rooms.runtime,
        rates=rates(),
        signals=common.signals,
    )
    return {SCOPE: Hot(made, [_hot(rooms)], SCOPE, common.signals)}


def routes(rooms: Rooms) -> Router:
    handlers = (register, refill, account, register_product, stock, place, last, deliveries)
    provided = Provide(lambda: rooms, sync_to_thread=False)
    return Router("/", route_handlers=[open_to_all(*handlers)], dependencies={"rooms": provided})


@post("/billing/register", status_code=200)
async def register(rooms: Desks, login: Login) -> Account:
    """Opens an account; a login that is known already keeps its balance."""
    if "/" in login or not login.isprintable():
        raise Problem(400, "bad-login", "a login has printable characters and no slash")
    return shown(login, await rooms.billing.open_wallet(scoped(login), SCOPE))


@post("/billing/refill", status_code=200, responses={404: UNKNOWN})
async def refill(rooms: Desks, data: JSONBody[Refill]) -> Account:
    """Adds to a balance."""
    amount = amount_of("balance", data.balance)
    return shown(data.login, await rooms.billing.deposit(rooms.runtime.new_id(), scoped(data.login), amount))


@get("/billing/account/{login:str}")
async def account(rooms: Desks, login: FromPath[str]) -> Account:
    """What a login can spend."""
    return shown(login, await rooms.billing.wallet(scoped(login)))


@post("/stock/register", status_code=200)
async def register_product(rooms: Desks, data: JSONBody[NewProduct]) -> ProductId:
    """Adds a new product with its stock."""
    number = await rooms.orders.add_product(data.description, SCOPE)
    await rooms.warehouse.put_stock({scoped(number): data.quantity})
    return ProductId(number)


@get("/stock")
async def stock(rooms: Desks) -> list[StockedProduct]:
    """Every product of this storefront."""
    titles = {each.sku: each.title for each in await rooms.orders.products(SCOPE)}
    available = await rooms.warehouse.available(list(titles))
    listed = [StockedProduct(number_in(sku), titles[sku], quantity) for sku, quantity in available.items()]
    return sorted(listed, key=lambda each: each.id)


@post(ROUTE, status_code=200, responses={404: UNKNOWN, 503: BUSY})
async def place(rooms: Desks, data: JSONBody[NewOrder]) -> Accepted:
    """Takes an order; its saga runs behind the answer."""
    return await _placed(rooms, data)


def _hot(rooms: Rooms) -> HotRoute:
    async def answer(request: HotRequest) -> Answer:
        return in_json(200, await _placed(rooms, request.read(NewOrder)))

    return HotRoute(re.compile(ROUTE), ROUTE, answer)


async def _placed(rooms: Rooms, data: NewOrder) -> Accepted:
    placing = placing_of(data)
    await _check_known(rooms, placing)
    result = await rooms.orders.place(placing)
    match result:
        case Placed():
            return Accepted(result.number, data.login, to_major(placing.price_minor or 0))
        case Wrong():
            raise Problem(400, result.problem, result.detail)
        case _:
            assert_never(result)


@get("/orders/last", responses={404: UNKNOWN})
async def last(rooms: Desks) -> LastOrder:
    """The newest order, whosever it is."""
    newest = await rooms.orders.last_order(SCOPE)
    if newest is None:
        raise Problem(404, "no-orders", "nothing was ordered yet")
    return order_shown(newest.number, newest.order, status_of(newest.order, newest.saga))


@get("/delivery")
async def deliveries(rooms: Desks) -> list[Delivery]:
    """The bookings that stand. Read before the numbers: an order has its number before it books."""
    bookings = await rooms.delivery.bookings(SCOPE)
    numbers = await rooms.orders.numbers([each.order_id for each in bookings])
    listed = [Delivery(numbers[each.order_id], numbers[each.order_id], dtime_of(each.slot)) for each in bookings]
    return sorted(listed, key=lambda each: each.id)


async def _check_known(rooms: Rooms, placing: Placing) -> None:
    """Raises 404 for a login or a product that isn't there."""
    shown(placing.wallet_id, await rooms.billing.wallet(placing.wallet_id))
    skus = [sku for sku, _ in placing.items]
    if not await rooms.warehouse.available(skus):
        raise Problem(404, "unknown-product", f"there is no product {number_in(skus[0])}")


def placing_of(data: NewOrder) -> Placing:
    """Raises 400 for what can't be ordered."""
    items = ((scoped(data.id_product), data.quntity),)
    slot = normal_slot(f"{data.dtime}Z")
    wrong = check_items(items)
    if wrong is not None:
        raise Problem(400, wrong.problem, wrong.detail)
    if slot is None:
        raise Problem(400, "bad-time", "dtime has to be a time such as 2025-01-08 10:00:00")
    return Placing(
        key=None,
        fingerprint=b"",
        scope=SCOPE,
        user_id=scoped(data.login),
        email=data.e_mail,
        wallet_id=scoped(data.login),
        items=items,
        calendar=SCOPE,
        slot=slot,
        pay_with="wallet",
        card="",
        price_minor=amount_of("amount", data.amount),
        traceparent=TRACEPARENT.get(),
        details="{}",
    )


def order_shown(number: int, order: Order, status: str) -> LastOrder:
    item = order.items[0]
    return LastOrder(
        number,
        unscoped(order.user_id),
        order.email,
        number_in(item.sku),
        item.quantity,
        to_major(order.total_minor),
        status,
        dtime_of(order.slot),
    )


def shown(login: str, balance: Balance | None) -> Account:
    """Raises 404 when there is no such wallet."""
    if balance is None:
        raise Problem(404, "unknown-login", f"there is no login {unscoped(login)!r}: register it first")
    return Account(login, to_major(balance.balance_minor - balance.held_minor))


def amount_of(field: str, number: msgspec.Raw) -> int:
    """In minor units. Raises 400."""
    minor = to_minor(bytes(number))
    if minor is None or not is_amount(minor):
        raise Problem(400, "bad-amount", f"{field} has to be a number from 0.01 to 10**10 with at most two decimals")
    return minor


def scoped(name: str | int) -> str:
    """The shop's id of a login or a product of this storefront."""
    return f"{SCOPE}/{name}"


def unscoped(id: str) -> str:
    return id.removeprefix(f"{SCOPE}/")


def number_in(sku: str) -> int:
    return int(unscoped(sku))


def dtime_of(slot: str) -> str:
    return slot.removesuffix("Z")
