"""The storefront `idempotent-orders`: users with tokens place orders once an idempotency key, paid from an account.

A translation of a client dialect into calls of the rooms. Its users are the shop's; each is a customer in the scope
`idempotent-orders`, and the customer's number is the number of user and account, the customer's wallet the account.

- Whoever shows a token is a customer with an account: what a crash has left out is made up for on the way in.
- An order's key is written with the order, in one transaction. A second request with it finds the order and waits for
  the end of its saga as the first one does; when that takes long, both are told how it stands.
"""

import re
from contextlib import suppress
from typing import NamedTuple, assert_never

from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, SkipValidation

from amends.errors import Elsewhere, Overloaded, Unavailable
from shop.billing.desk import Balance, Transaction, TransactionKind, Verdict
from shop.orders.desk import OrderView, Placed, Wrong
from shop.orders.domain import Status
from shop.storefronts.idempotent_orders import bodies
from shop.storefronts.idempotent_orders.bodies import (
    KEY,
    Account,
    Alive,
    Before,
    NewOrder,
    NewTransaction,
    OptionalKey,
    OrderKey,
    Registered,
    Registration,
    TransactionType,
)
from shop.storefronts.idempotent_orders.placing import SCOPE, items_of, placing_of
from shop.storefronts.idempotent_orders.status import status_of
from shop.storefronts.rooms import Common, Rooms
from shop.users.desk import Customer
from shop.web import Answer, Limit, Member, Principal, Problem, ProblemDetails, build_app, open_to_all, signed_in
from shop.web.asgi import App
from shop.web.hot import Hot, HotRequest, HotRoute, LetIn, in_json

CURRENCY = "USD"
ROUTE = "/orders/"
WAIT_S = 10.0

TAKEN = ResponseSpec(ProblemDetails, description="There is a user with this e-mail address already")
UNKNOWN = ResponseSpec(ProblemDetails, description="There is no such account of yours")
REFUSED = ResponseSpec(ProblemDetails, description="Too little money, or the key was used for another request")
RUNNING = ResponseSpec(ProblemDetails, description="Somebody else was faster: ask again")
REUSED = ResponseSpec(ProblemDetails, description="The idempotency key was used for another request")
BUSY = ResponseSpec(ProblemDetails, description="Too much at once: come back after `Retry-After` seconds")

_KINDS: dict[TransactionType, TransactionKind] = {
    "charge": TransactionKind.DEPOSIT,
    "payment": TransactionKind.CAPTURE,
    "payment_refund": TransactionKind.REFUND,
}
_TYPES = {kind: type for type, kind in _KINDS.items()}
Desks = NamedDependency[SkipValidation[Rooms]]


class Known(NamedTuple):
    """Who asks, and what is in the account."""

    customer: Customer
    balance: Balance


async def prepare(rooms: Rooms) -> None:
    """Nothing has to be there before the first user."""


def apps(rooms: Rooms, common: Common = Common()) -> dict[str, App]:  # noqa: B008 - a value, never changed
    """The storefront, as an ASGI application under its name."""
    made = build_app(
        [routes(rooms), *common.routes],
        title=SCOPE,
        description="Orders that are placed once an idempotency key, by users with tokens.",
        base="",
        runtime=rooms.runtime,
        verifier=rooms.verifier,
        signals=common.signals,
    )
    return {SCOPE: Hot(made, [_hot(rooms)], SCOPE, common.signals)}


def routes(rooms: Rooms) -> Router:
    handlers = [open_to_all(register, liveness), signed_in(account, transact, transactions, place)]
    provided = Provide(lambda: rooms, sync_to_thread=False)
    return Router("/", route_handlers=handlers, dependencies={"rooms": provided})


@get("/liveness/")
async def liveness() -> Alive:
    """Says that the process answers."""
    return Alive("alive")


@post("/register/", responses={409: TAKEN, 503: BUSY})
async def register(rooms: Desks, data: JSONBody[Registration]) -> Registered:
    """Makes a user, with a token, and opens the account."""
    name = f"{data.first_name} {data.last_name}"
    joined = await rooms.users.join_and_sign_in(data.email, name, data.password)
    with suppress(Unavailable, Elsewhere, Overloaded):  # the token is good: whatever is asked next opens the account
        await _known(rooms, Principal(joined.user.id, joined.user.email))
    return Registered(joined.access_token, "Bearer", joined.lifetime_s)


@get("/account/")
async def account(request: Member, rooms: Desks) -> Account:
    """One's own account."""
    customer, balance = await _known(rooms, request.user)
    return Account(customer.number, customer.number, balance.balance_minor - balance.held_minor)


@post("/balance_transactions/", responses={404: UNKNOWN, 409: RUNNING, 422: REFUSED})
async def transact(
    request: Member, rooms: Desks, data: JSONBody[NewTransaction], key: OptionalKey = None
) -> bodies.Transaction:
    """Tops the account up (`charge`), pays from it, or takes such a payment back; once a key, where there is one."""
    customer, _ = await _known(rooms, request.user)
    if data.account_id != customer.number:
        raise Problem(404, "unknown-account", f"you have no account {data.account_id}")
    if data.currency != CURRENCY:
        raise Problem(400, "bad-currency", f"currency: an account is in {CURRENCY}")
    id = rooms.runtime.new_id() if key is None else f"{customer.id}/{key}"
    made = await rooms.billing.transact(id, customer.id, _KINDS[data.type], data.amount)
    match made:
        case Transaction():
            return _shown(customer, made)
        case Verdict():
            raise _short(data.type)
        case _:
            assert_never(made)


@get("/balance_transactions/")
async def transactions(
    request: Member, rooms: Desks, limit: Limit = 50, before: Before = None
) -> list[bodies.Transaction]:
    """What happened on one's account, newest first; payments of orders and their refunds, too."""
    customer, _ = await _known(rooms, request.user)
    found = await rooms.billing.transactions(customer.id, limit, before)
    return [_shown(customer, each) for each in found]


@post(ROUTE, responses={409: RUNNING, 422: REUSED, 503: BUSY})
async def place(request: Member, rooms: Desks, key: OrderKey, data: JSONBody[NewOrder]) -> bodies.Order:
    """Places an order once a key; answers when its saga has ended, or after a while how it stands."""
    return await _placed(rooms, request.user, key, data)


def _hot(rooms: Rooms) -> HotRoute:
    async def answer(request: HotRequest) -> Answer:
        assert request.principal is not None
        key = request.headers.get(b"x-idempotency-key", b"").decode("latin-1")
        if not re.fullmatch(KEY, key):
            raise Problem(400, "bad-request", "X-Idempotency-Key: 1 to 255 printable ASCII characters")
        return in_json(201, await _placed(rooms, request.principal, key, request.read(NewOrder)))

    return HotRoute(re.compile(ROUTE), ROUTE, answer, LetIn.BY_TOKEN)


async def _placed(rooms: Rooms, user: Principal, key: str, data: NewOrder) -> bodies.Order:
    customer, _ = await _known(rooms, user)
    placed = await rooms.orders.place(placing_of(customer, key, data))
    match placed:
        case Placed():
            order = await _ended(rooms, placed.order_id)
            number = placed.number or (await rooms.orders.numbers([order.id]))[order.id]
            return bodies.Order(number, items_of(order), await _status(rooms, order))
        case Wrong():
            raise Problem(400, placed.problem, placed.detail)
        case _:
            assert_never(placed)


async def _known(rooms: Rooms, user: Principal) -> Known:
    """Who shows a token, with an account in any case. Raises 401 when there is no such user any more."""
    customer = await rooms.users.customer_for(SCOPE, user.user_id)
    if customer is None:
        raise Problem(401, "not-signed-in", "there is no such user: POST /register/")
    balance = await rooms.billing.wallet(customer.id) or await rooms.billing.open_wallet(customer.id, SCOPE)
    assert balance is not None, f"wallet {customer.id} was opened"
    return Known(customer, balance)


async def _ended(rooms: Rooms, order_id: str) -> OrderView:
    """The order when its saga has ended; as it stands, when that takes longer than `WAIT_S` or the shop closes."""
    try:
        ended = await rooms.orders.ended(order_id, WAIT_S)
    except Unavailable:
        ended = None
    order = ended or await rooms.orders.order_in(SCOPE, order_id)
    assert order is not None, f"order {order_id} was placed"
    return order


async def _status(rooms: Rooms, order: OrderView) -> bodies.OrderStatus:
    """Whether an order that was turned back had been paid, billing knows."""
    turned_back = order.status in (Status.REJECTED, Status.CANCELLED)
    return status_of(order, await rooms.billing.hold(order.id) if turned_back else None)


def _shown(customer: Customer, made: Transaction) -> bodies.Transaction:
    return bodies.Transaction(made.number, customer.number, _TYPES[made.kind], made.amount_minor, CURRENCY, "available")


def _short(type: TransactionType) -> Problem:
    if type == "payment_refund":
        return Problem(422, "nothing-to-refund", "not so much was paid by `payment` and not refunded yet")
    return Problem(422, "insufficient-funds", "there is not so much in the account")
