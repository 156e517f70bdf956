"""The storefront `two-phase`: payment, warehouse and delivery vote on a purchase; it is answered when it has ended.

A translation of a client dialect into calls of the rooms. Warehouse `n` is the sku `two-phase/n`, of which a purchase
takes one; an hour of today, UTC, is a slot of the calendar `two-phase`. What is stocked, and when couriers work, are
data of the rooms: `prepare` adds what is not there.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, assert_never

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, SkipValidation

from shop.orders.desk import Placed, Placing, Wrong
from shop.orders.domain import Status
from shop.orders.two_phase_saga import buy_by_xa, buy_two_phase
from shop.storefronts.rooms import Common, Rooms, rates
from shop.storefronts.two_phase.bodies import Created, Failed, NewPurchase, NewUser, User
from shop.storefronts.two_phase.outcome import fault_of
from shop.users.domain import Customer
from shop.web import Answer, Problem, ProblemDetails, build_app, open_to_all
from shop.web.asgi import App
from shop.web.hot import Hot, HotRequest, HotRoute, in_json
from shop.web.traces import TRACEPARENT

SCOPE = "two-phase"
STOCK = {f"{SCOPE}/{warehouse}": 1_000_000 for warehouse in range(1, 10)}
COURIERS = dict.fromkeys(range(18), 100_000)
WAIT_S = 10.0
MINOR = 100

UNKNOWN = ResponseSpec(ProblemDetails, description="There is no such user")
BUSY = ResponseSpec(ProblemDetails, description="No outcome: too much is in flight, or somebody did not vote in time")
Desks = NamedDependency[SkipValidation[Rooms]]
Id = Annotated[int, PathParameter(ge=1, le=2**53)]

_encode = msgspec.json.Encoder().encode


async def prepare(rooms: Rooms) -> None:
    """Stocks the warehouses and opens the hours; what is there stays as it is."""
    await rooms.warehouse.stock_new(STOCK)
    await rooms.delivery.open_hours(SCOPE, COURIERS)


def apps(rooms: Rooms, common: Common = Common()) -> dict[str, App]:  # noqa: B008 - a value, never changed
    """The storefront, as an ASGI application under its name."""
    made = build_app(
        [routes(rooms), *common.routes],
        title=SCOPE,
        description="Purchases by two-phase commit. A balance counts what every participant has committed.",
        base="",
        runtime=rooms.runtime,
        rates=rates(),
        signals=common.signals,
    )
    return {SCOPE: Hot(made, [_hot(rooms)], SCOPE, common.signals)}


def routes(rooms: Rooms) -> Router:
    provided = Provide(lambda: rooms, sync_to_thread=False)
    return Router("/", route_handlers=[open_to_all(register, user, buy)], dependencies={"rooms": provided})


@post("/user", status_code=200, responses={503: BUSY})
async def register(rooms: Desks, data: JSONBody[NewUser]) -> User:
    """A new user with a start balance."""
    customer = await rooms.users.enroll(SCOPE, data.name, "")
    if data.balance:
        await _deposit(rooms, customer, data.balance * MINOR)
    return User(customer.number, data.name, data.balance)


@get("/user/{user_id:int}", responses={404: UNKNOWN})
async def user(rooms: Desks, user_id: Id) -> User:
    """The start balance, and what was bought since."""
    customer = await _known(rooms, user_id)
    wallet = await rooms.billing.wallet(customer.id)
    return User(customer.number, customer.name, wallet.balance_minor // MINOR if wallet else 0)


@post("/buy/user/{user_id:int}", status_code=200, responses={404: UNKNOWN, 503: BUSY})
async def buy(rooms: Desks, user_id: Id, data: JSONBody[NewPurchase]) -> Created | Failed:
    """Buys one piece; the answer is the outcome."""
    return await _bought(rooms, user_id, data)


def _hot(rooms: Rooms) -> HotRoute:
    """Numbers of at most 15 digits: no longer one can be wrong."""

    async def answer(request: HotRequest) -> Answer:
        return in_json(200, await _bought(rooms, request.number, request.read(NewPurchase)))

    return HotRoute(re.compile("/buy/user/([1-9][0-9]{0,14})"), "/buy/user/{user_id}", answer)


async def _bought(rooms: Rooms, user_id: int, data: NewPurchase) -> Created | Failed:
    customer = await _known(rooms, user_id)
    result = await rooms.orders.place(placing_of(customer, data, rooms))
    match result:
        case Placed():
            return await _outcome(rooms, result)
        case Wrong():
            raise Problem(400, result.problem, result.detail)
        case _:
            assert_never(result)


async def _outcome(rooms: Rooms, placed: Placed) -> Created | Failed:
    """Raises 503 when there is none in time, or for another cause than a refusal."""
    order = await rooms.orders.ended(placed.order_id, WAIT_S)
    if order is None:
        unknown = f"purchase {placed.order_id} has not ended yet: the balance will tell whether it was made"
        raise Problem(503, "no-outcome", unknown, saga_id=placed.order_id)
    if order.status is Status.APPROVED:
        return Created("Transaction created")
    numbered = await rooms.orders.numbered_order(SCOPE, placed.number)
    fault = fault_of(order, numbered.saga if numbered else None)
    if fault is None:
        undone = f"purchase {placed.order_id} was rolled back everywhere, since not all have voted for it: buy again"
        raise Problem(503, "rolled-back", undone, retry_after_s=1.0, saga_id=placed.order_id)
    return Failed(fault)


async def _deposit(rooms: Rooms, customer: Customer, amount_minor: int) -> None:
    """Once a customer, however often it is asked for. The wallet may still be on its way."""
    deposit_id = f"{SCOPE}/{customer.id}/start"
    if await rooms.billing.deposit(deposit_id, customer.id, amount_minor) is None:
        await rooms.billing.open_wallet(customer.id, SCOPE)
        await rooms.billing.deposit(deposit_id, customer.id, amount_minor)


async def _known(rooms: Rooms, user_id: int) -> Customer:
    """Raises 404."""
    customer = await rooms.users.customer(SCOPE, user_id)
    if customer is None:
        raise Problem(404, "unknown-user", f"there is no user {user_id}")
    return customer


def placing_of(customer: Customer, data: NewPurchase, rooms: Rooms) -> Placing:
    """It is delivered today."""
    now = rooms.runtime.now()
    price_minor = -data.balance_change * MINOR
    details: dict[str, Any] = {"product_name": data.product_name}
    return Placing(
        key=None,
        fingerprint=b"",
        scope=SCOPE,
        user_id=customer.id,
        email=customer.email,
        wallet_id=customer.id,
        items=((f"{SCOPE}/{data.warehouse_id}", 1),),
        calendar=SCOPE,
        slot=f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}T{data.delivery_hour:02}:00:00Z",
        pay_with="wallet",
        card="",
        traceparent=TRACEPARENT.get(),
        details=_encode(details).decode(),
        prices=(price_minor,),
        saga=(buy_by_xa if rooms.xa else buy_two_phase).name,
    )
