"""Users, their wallets, and what they were told of them."""

from uuid import NAMESPACE_URL, uuid5

from litestar import get, post, put
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from shop.storefronts.amounts import to_major
from shop.storefronts.parallel_saga.bodies import Done, NewUser, Notification, User, Wallet
from shop.storefronts.parallel_saga.values import SCOPE, Desks, Id, amount_of, checked
from shop.storefronts.rooms import Rooms
from shop.users.domain import is_email
from shop.web import Problem, ProblemDetails

UNKNOWN = ResponseSpec(ProblemDetails, description="There is no such user or wallet")
OPENING = ResponseSpec(ProblemDetails, description="The wallet is being opened: come back")
NO_WALLET = {404: UNKNOWN, 503: OPENING}


@post("/user/user", status_code=200)
async def enroll(rooms: Desks, data: JSONBody[NewUser]) -> User:
    """A new user, with a wallet."""
    if not is_email(checked("email", data.email)):
        raise Problem(400, "bad-request", "email: this is no e-mail address")
    customer = await rooms.users.enroll(SCOPE, checked("name", data.name), data.email)
    return User(customer.id, customer.id, customer.name, customer.email)


@put("/billing/billing/refill/{id:str}/{amount:str}", responses=NO_WALLET)
async def refill(rooms: Desks, id: Id, amount: FromPath[str]) -> Done:
    """Puts money in."""
    wanted, wallet_id = amount_of("the sum", amount.encode()), await _known(rooms, id)
    if await rooms.billing.deposit(rooms.runtime.new_id(), wallet_id, wanted) is None:
        raise _opening(id)
    return Done(True)


@put("/billing/billing/{id:str}/{amount:str}", responses=NO_WALLET)
async def buy(rooms: Desks, id: Id, amount: FromPath[str]) -> Done:
    """Takes money out, when there is enough."""
    wanted, wallet_id = amount_of("the sum", amount.encode()), await _known(rooms, id)
    paid = await rooms.billing.pay(rooms.runtime.new_id(), wallet_id, wanted)
    if paid is None:
        raise _opening(id)
    return Done(paid)


@get("/billing/billing/{id:str}", responses=NO_WALLET)
async def wallet(rooms: Desks, id: Id) -> Wallet:
    """What is in it."""
    found = await rooms.billing.wallet(await _known(rooms, id))
    if found is None:
        raise _opening(id)
    return Wallet(id.lower(), to_major(found.balance_minor - found.held_minor))


@get("/notification/notification/{id:str}", responses={404: UNKNOWN})
async def notifications(rooms: Desks, id: Id) -> list[Notification]:
    """What a user was told, the oldest first."""
    told = await rooms.notifications.of_user(await _known(rooms, id))
    return [Notification(str(uuid5(NAMESPACE_URL, each.id)), each.user_id, each.message, each.email) for each in told]


async def _known(rooms: Rooms, id: str) -> str:
    """A user and the wallet have one id. Raises 404 for one that this storefront has not made."""
    if await rooms.users.customer(SCOPE, id.lower()) is None:
        raise Problem(404, "not-found", f"there is no user or wallet {id}")
    return id.lower()


def _opening(id: str) -> Problem:
    return Problem(503, "overloaded", f"wallet {id} is being opened: come back", retry_after_s=1.0)


HANDLERS = (enroll, refill, buy, wallet, notifications)
