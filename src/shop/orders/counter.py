"""The counter: takes `POST /api/orders`, the shop's busiest request. Needs no web framework.

token ─▶ rate ─▶ key ─▶ body ─▶ [the desk: one transaction for all who came together] ─▶ 202, or the end with Prefer
"""

import re
from collections.abc import Mapping
from typing import Annotated, assert_never

import msgspec

from amends.errors import KeyInUse, KeyReused, Overloaded, Unavailable
from amends.idempotency import fingerprint
from amends.pages import KeyScope
from amends.ports import Runtime
from shop.orders.desk import OrdersDesk, Placed, Placing, Wrong
from shop.orders.domain import card_of, check_items, normal_slot
from shop.orders.views import encode_view
from shop.web.gate import Principal, Verifier
from shop.web.problems import Answer, Problem
from shop.web.rates import Rates
from shop.web.requests import decode

ROUTE = "/api/orders"
SCOPE = "shop"
MOST_WAIT_S = 60.0
Sku = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Quantity = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_WAIT = re.compile(rb"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])")
_KEY = re.compile(rb"[\x21-\x7e][\x20-\x7e]{0,254}")
_JSON = (b"content-type", b"application/json")


class NewItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    sku: Sku
    quantity: Quantity


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`slot` is an RFC 3339 time; `pay_with` is `wallet`, or `card:` and its number."""

    items: Annotated[tuple[NewItem, ...], msgspec.Meta(min_length=1, max_length=100)]
    slot: Annotated[str, msgspec.Meta(max_length=35)]
    pay_with: Annotated[str, msgspec.Meta(max_length=30)] = "wallet"


class Counter:
    """Answers requests to place an order."""

    def __init__(self, orders: OrdersDesk, runtime: Runtime, verifier: Verifier, rates: Rates) -> None:
        self._orders = orders
        self._runtime = runtime
        self._verifier = verifier
        self._rates = rates

    async def place(self, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        """The answer to one request; `headers` with names in lowercase."""
        try:
            token, now = headers.get(b"authorization"), self._runtime.now()
            buyer = self._verifier.principal(token, now) or await self._verifier.late_principal(token, now)
            placing = self._placing(self._let_in(buyer, now), headers, body)
            placed = await self._orders.place(placing)
            wait_s = wait_of(headers.get(b"prefer"))
            answer = _answer(placed)
            if wait_s is None or not isinstance(placed, Placed):
                return answer
            return await self._ended(placed, answer, wait_s)
        except Problem as refusal:
            return refusal.answer()
        except (KeyReused, KeyInUse, Overloaded) as refused:
            return _refused(refused)

    def _let_in(self, buyer: Principal | None, now: float) -> Principal:
        if buyer is None:
            raise Problem(401, "not-signed-in", "sign in first: POST /api/sessions, then send Authorization: Bearer")
        pause_s = self._rates.take(buyer.user_id, now)
        if pause_s:
            raise Problem(429, "too-many-requests", "you ask too often: wait a little", retry_after_s=pause_s)
        return buyer

    def _placing(self, buyer: Principal, headers: Mapping[bytes, bytes], body: bytes) -> Placing:
        key = headers.get(b"idempotency-key", b"")
        if not _KEY.fullmatch(key):
            raise Problem(400, "no-idempotency-key", "send Idempotency-Key: 1 to 255 printable ASCII characters")
        wanted: NewOrder = decode(body, NewOrder)
        items = tuple((item.sku, item.quantity) for item in wanted.items)
        slot = normal_slot(wanted.slot)
        if slot is None:
            raise Problem(400, "bad-request", "slot: an RFC 3339 time with an offset, like 2034-05-26T16:00:00Z")
        return Placing(
            key=KeyScope(buyer.user_id, "POST", ROUTE, key.decode()),
            fingerprint=fingerprint(body),
            scope=SCOPE,
            user_id=buyer.user_id,
            email=buyer.email,
            wallet_id=buyer.user_id,
            items=items,
            calendar=SCOPE,
            slot=slot,
            pay_with=wanted.pay_with,
            card=_accepted(card_of(wanted.pay_with), _accepted(check_items(items), "")),
            traceparent=headers.get(b"traceparent", b"").decode("latin-1")[:55],
        )

    async def _ended(self, placed: Placed, accepted: Answer, wait_s: float) -> Answer:
        """201 with the final order; the 202 when it has not ended in time, or nobody can tell."""
        try:
            order = await self._orders.ended(placed.order_id, wait_s)
        except Unavailable:
            return accepted
        return accepted if order is None else Answer(201, accepted.headers, encode_view(order))


def wait_of(prefer: bytes | None) -> float | None:
    """The seconds of `Prefer: wait=N` (RFC 7240), at most 60; None when it isn't there."""
    found = _WAIT.search(prefer) if prefer else None
    return None if found is None else min(MOST_WAIT_S, float(found[1]))


def _accepted(value: str | Wrong | None, fallback: str) -> str:
    if isinstance(value, Wrong):
        raise Problem(400, value.problem, value.detail)
    return fallback if value is None else value


def _answer(result: Placed | Wrong) -> Answer:
    match result:
        case Placed():
            replayed = [(b"idempotent-replayed", b"true")] if result.replayed else []
            location = (b"location", f"{ROUTE}/{result.order_id}".encode())
            return Answer(202, [_JSON, location, *replayed], result.body)
        case Wrong():
            return Problem(422, result.problem, result.detail).answer()
        case _:
            assert_never(result)


def _refused(error: KeyReused | KeyInUse | Overloaded) -> Answer:
    match error:
        case KeyReused():
            return Problem(422, "key-reused", str(error)).answer()
        case KeyInUse():
            return Problem(409, "key-in-use", str(error), retry_after_s=error.retry_after_s).answer()
        case Overloaded():
            return Problem(503, "overloaded", str(error), retry_after_s=error.retry_after_s).answer()
        case _:
            assert_never(error)
