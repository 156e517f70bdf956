"""The storefront `queue-saga`: an order is a saga over queues, answered at once, its outcome read later.

A translation of a client dialect (names and misspellings are its own) into calls of the rooms. Logins, products and
orders of this storefront live in the scope `queue-saga`; other storefronts' lists don't show them.

- `POST /billing/register` of a known login answers the account as it is: a script that runs again resets nothing.
- A product is written to the catalogue first and to the warehouse second, and is there once it is stocked: a crash
  between the two leaves an unused number and nothing that can be seen.
- A booking has the number of its order: an order books once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, assert_never

import msgspec
from litestar import Litestar, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter, SkipValidation

from amends.connections import Tx
from amends.errors import AmendsError
from amends.messages import SagaId
from amends.ports import Runtime, Storage
from amends.signals import Signals
from shop.billing import tables as billing
from shop.billing.domain import Balance, is_amount
from shop.delivery import tables as delivery
from shop.orders import tables as orders
from shop.orders.domain import Wrong, check_items, normal_slot
from shop.orders.placing import OrderIntake, Placed, Placing
from shop.orders.tables import Order, Product
from shop.storefronts.amounts import to_major, to_minor
from shop.storefronts.numbering import last_order, numbers_of
from shop.storefronts.queue_saga_bodies import (
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
from shop.storefronts.queue_saga_status import status_of
from shop.warehouse import tables as warehouse
from shop.web import Problem, ProblemDetails, Rates, Route, build_app, open_to_all

SCOPE = "queue-saga"
COURIERS = 1  # of each delivery time

UNKNOWN = ResponseSpec(ProblemDetails, description="There is no such login, product or order")
BUSY = ResponseSpec(ProblemDetails, description="Too many orders in flight: come back after `Retry-After` seconds")
Login = Annotated[str, QueryParameter(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the storefront needs of the shop: the databases of four rooms, and who takes orders."""

    orders: Storage
    billing: Storage
    warehouse: Storage
    delivery: Storage
    intake: OrderIntake
    runtime: Runtime


Desk = NamedDependency[SkipValidation[Rooms]]


async def prepare(rooms: Rooms) -> None:
    """Opens the storefront's calendar; may run at every start."""
    async with rooms.delivery.transaction(rooms.runtime.now()) as tx:
        await delivery.put_calendar(tx, SCOPE, COURIERS)


def app(
    rooms: Rooms, *, signals: Signals | None = None, rates: Rates | None = None, more: Sequence[Route] = ()
) -> Litestar:
    """The storefront as an ASGI application; `more` are routes that every edge has, such as health."""
    return build_app(
        [routes(rooms), *more],
        title="queue-saga",
        description="Orders as sagas over queues. One courier exists for each delivery time.",
        base="",
        runtime=rooms.runtime,
        rates=rates,
        signals=signals,
    )


def routes(rooms: Rooms) -> Router:
    handlers = (register, refill, account, register_product, stock, place, last, deliveries)
    desk = Provide(lambda: rooms, sync_to_thread=False)
    return Router("/", route_handlers=[open_to_all(*handlers)], dependencies={"rooms": desk})


@post("/billing/register", status_code=200)
async def register(rooms: Desk, login: Login) -> Account:
    """Opens an account; a login that is known already keeps its balance."""
    if "/" in login or not login.isprintable():
        raise Problem(400, "bad-login", "a login has printable characters and no slash")
    async with rooms.billing.transaction(rooms.runtime.now()) as tx:
        await billing.open_wallet(tx, scoped(login), SCOPE)
        return shown(login, await billing.wallet(tx, scoped(login)))


@post("/billing/refill", status_code=200, responses={404: UNKNOWN})
async def refill(rooms: Desk, data: JSONBody[Refill]) -> Account:
    """Adds to a balance."""
    amount = amount_of("balance", data.balance)
    async with rooms.billing.transaction(rooms.runtime.now()) as tx:
        return shown(data.login, await billing.deposit(tx, rooms.runtime.new_id(), scoped(data.login), amount))


@get("/billing/account/{login:str}")
async def account(rooms: Desk, login: FromPath[str]) -> Account:
    """What a login can spend."""
    async with rooms.billing.reading() as reader:
        return shown(login, await billing.wallet(reader, scoped(login)))


@post("/stock/register", status_code=200)
async def register_product(rooms: Desk, data: JSONBody[NewProduct]) -> ProductId:
    """Adds a new product with its stock."""
    async with rooms.orders.transaction(rooms.runtime.now()) as tx:
        number = await _add_to_catalogue(tx, data.description)
    async with rooms.warehouse.transaction(rooms.runtime.now()) as tx:
        await warehouse.put_stock(tx, scoped(number), data.quantity)
    return ProductId(number)


@get("/stock")
async def stock(rooms: Desk) -> list[StockedProduct]:
    """Every product of this storefront."""
    async with rooms.orders.reading() as reader:
        titles = {each.sku: each.title for each in await orders.products(reader, SCOPE)}
    async with rooms.warehouse.reading() as reader:
        available = await warehouse.available(reader, titles)
    listed = [StockedProduct(number_in(sku), titles[sku], quantity) for sku, quantity in available.items()]
    return sorted(listed, key=lambda each: each.id)


@post("/orders/", status_code=200, responses={404: UNKNOWN, 503: BUSY})
async def place(rooms: Desk, data: JSONBody[NewOrder]) -> Accepted:
    """Takes an order; its saga runs behind the answer."""
    placing = placing_of(data, rooms.intake.new_id())
    await _check_known(rooms, placing)
    result = await rooms.intake.submit(placing)
    match result:
        case Placed():
            return Accepted(result.number, data.login, to_major(placing.price_minor or 0))
        case Wrong():
            raise Problem(400, result.problem, result.detail)
        case AmendsError():
            raise result
        case _:
            assert_never(result)


@get("/orders/last", responses={404: UNKNOWN})
async def last(rooms: Desk) -> LastOrder:
    """The newest order, whosever it is."""
    async with rooms.orders.reading() as reader:
        newest = await last_order(reader, SCOPE)
        if newest is None:
            raise Problem(404, "no-orders", "nothing was ordered yet")
        found = await orders.load(reader, [newest.order_id])
        sagas = await rooms.orders.sagas.load(reader, [SagaId(newest.order_id)])
    order = found[newest.order_id]
    return order_shown(newest.number, order, status_of(order, sagas.get(SagaId(order.id))))


@get("/delivery")
async def deliveries(rooms: Desk) -> list[Delivery]:
    """The bookings that stand. Read before the numbers: an order has its number before it books."""
    async with rooms.delivery.reading() as reader:
        bookings = await delivery.bookings_of(reader, SCOPE)
    async with rooms.orders.reading() as reader:
        numbers = await numbers_of(reader, SCOPE, [each.order_id for each in bookings])
    listed = [Delivery(numbers[each.order_id], numbers[each.order_id], dtime_of(each.slot)) for each in bookings]
    return sorted(listed, key=lambda each: each.id)


async def _add_to_catalogue(tx: Tx, title: str) -> int:
    """Nothing leaves the catalogue, so the count is the last number."""
    number = len(await orders.products(tx, SCOPE)) + 1
    await orders.put_product(tx, Product(scoped(number), title, 0), SCOPE)
    return number


async def _check_known(rooms: Rooms, placing: Placing) -> None:
    """Raises 404 for a login or a product that isn't there."""
    async with rooms.billing.reading() as reader:
        shown(placing.wallet_id, await billing.wallet(reader, placing.wallet_id))
    skus = [sku for sku, _ in placing.items]
    async with rooms.warehouse.reading() as reader:
        if not await warehouse.available(reader, skus):
            raise Problem(404, "unknown-product", f"there is no product {number_in(skus[0])}")


def placing_of(data: NewOrder, order_id: str) -> Placing:
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
        order_id=order_id,
        price_minor=amount_of("amount", data.amount),
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
