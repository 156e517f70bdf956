"""HTTP of billing: one's own wallet."""

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from amends.pages import KeyScope
from shop.billing.desk import BillingDesk, Deposit
from shop.web import (
    After,
    KeyHeader,
    Limit,
    Member,
    Problem,
    ProblemDetails,
    Route,
    respond,
    rfc3339,
    signed_in,
)

ROUTE = "/api/wallet/deposits"
Amount = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
MADE = ResponseSpec(Deposit, description="The deposit and the new balance")
NO_WALLET = ResponseSpec(ProblemDetails, description="The wallet isn't open yet")
REUSED = ResponseSpec(ProblemDetails, description="The idempotency key was used for another request")
RUNNING = ResponseSpec(ProblemDetails, description="The first request with this key still runs, or was faster")


class Wallet(msgspec.Struct, frozen=True):
    """`held_minor` of `balance_minor` is held for orders."""

    balance_minor: int
    held_minor: int
    currency: str


class Depositable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    amount_minor: Amount


class EntryView(msgspec.Struct, frozen=True):
    """A line of the ledger; money that went out is negative."""

    id: str
    kind: str
    amount_minor: int
    currency: str
    at: str


def routes(billing: BillingDesk, currency: str = "EUR") -> list[Route]:
    """`/api/wallet`, its deposits and entries. The wallet of a user has the user's id."""

    @get("/api/wallet", responses={404: NO_WALLET})
    async def wallet(request: Member) -> Wallet:
        """What one has."""
        found = await billing.wallet(request.user.user_id)
        if found is None:
            raise Problem(404, "not-found", f"there is no wallet {request.user.user_id}")
        return Wallet(found.balance_minor, found.held_minor, currency)

    @post(ROUTE, responses={201: MADE, 404: NO_WALLET, 409: RUNNING, 422: REUSED})
    async def deposit(request: Member, key: KeyHeader, data: JSONBody[Depositable]) -> Response[bytes]:
        """Puts money in, once a key."""
        user_id = request.user.user_id
        scope = KeyScope(user_id, "POST", ROUTE, key)
        return respond(await billing.deposit_once(scope, user_id, data.amount_minor))

    @get("/api/wallet/entries")
    async def entries(request: Member, limit: Limit = 50, after: After = "") -> list[EntryView]:
        """What came in and went out, newest first; `after` is the id of the last line seen."""
        found = await billing.entries(request.user.user_id, limit, after or None)
        return [EntryView(each.id, each.kind, each.amount_minor, currency, rfc3339(each.at)) for each in found]

    return [signed_in(wallet, deposit, entries)]
