"""The order desk: takes `POST /api/orders`, the shop's busiest request. Needs no web framework.

token ─▶ rate ─▶ key ─▶ body ─▶ [intake: one transaction for all who came together] ─▶ 202, or the end with Prefer
"""

import re
from collections.abc import Mapping
from typing import Annotated, assert_never

import msgspec

from amends.errors import KeyInUse, KeyReused, Overloaded
from amends.idempotency import fingerprint
from amends.messages import SagaId
from amends.pages import KeyScope
from amends.service import Service
from amends.state import ENDED
from shop.orders.domain import Wrong, card_of, check_items, normal_slot
from shop.orders.placing import OrderIntake, Placed, Placing, Result
from shop.orders.views import encode_view, view_of
from shop.orders.waiting import Waiting
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


class Desk:
    """Answers requests to place an order."""

    def __init__(
        self, service: Service, intake: OrderIntake, waiting: Waiting, verifier: Verifier, rates: Rates
    ) -> None:
        self._storage = service.storage
        self._runtime = service.runtime
        self._intake = intake
        self._waiting = waiting
        self._verifier = verifier
        self._rates = rates

    async def place(self, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        """The answer to one request; `headers` with names in lowercase."""
        try:
            buyer = self._buyer(headers)
            placing = self._placing(buyer, headers, body)
            wait_s = wait_of(headers.get(b"prefer"))
            if wait_s is None:
                return _answer(await self._intake.submit(placing))
            return await self._place_and_wait(placing, wait_s)
        except Problem as refusal:
            return refusal.answer()

    def _buyer(self, headers: Mapping[bytes, bytes]) -> Principal:
        now = self._runtime.now()
        buyer = self._verifier.principal(headers.get(b"authorization"), now)
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
            order_id=self._intake.new_id(),
            traceparent=headers.get(b"traceparent", b"").decode("latin-1")[:55],
        )

    async def _place_and_wait(self, placing: Placing, wait_s: float) -> Answer:
        with self._waiting.on(SagaId(placing.order_id), ended=True) as ended:
            result = await self._intake.submit(placing)
            answer = _answer(result)
            if not isinstance(result, Placed):
                return answer
            if result.replayed:
                await self._wait_elsewhere(SagaId(result.order_id), wait_s)
            else:
                await self._runtime.within(wait_s, ended.wait())
            return await self._ended_answer(result, answer)

    async def _wait_elsewhere(self, saga: SagaId, wait_s: float) -> None:
        """For an order that an earlier request has placed: it may have ended already."""
        with self._waiting.on(saga, ended=True) as ended:
            _, instance = await self._intake.look(saga)
            if instance.state.status not in ENDED:
                await self._runtime.within(wait_s, ended.wait())

    async def _ended_answer(self, placed: Placed, accepted: Answer) -> Answer:
        """201 with the final order; the 202 when it has not ended in time."""
        order, instance = await self._intake.look(placed.order_id)
        if instance.state.status not in ENDED:
            return accepted
        return Answer(201, accepted.headers, encode_view(view_of(order, instance)))


def wait_of(prefer: bytes | None) -> float | None:
    """The seconds of `Prefer: wait=N` (RFC 7240), at most 60; None when it isn't there."""
    found = _WAIT.search(prefer) if prefer else None
    return None if found is None else min(MOST_WAIT_S, float(found[1]))


def _accepted(value: str | Wrong | None, fallback: str) -> str:
    if isinstance(value, Wrong):
        raise Problem(400, value.problem, value.detail)
    return fallback if value is None else value


def _answer(result: Result) -> Answer:
    match result:
        case Placed():
            replayed = [(b"idempotent-replayed", b"true")] if result.replayed else []
            location = (b"location", f"{ROUTE}/{result.order_id}".encode())
            return Answer(202, [_JSON, location, *replayed], result.body)
        case Wrong():
            return Problem(422, result.problem, result.detail).answer()
        case KeyReused():
            return Problem(422, "key-reused", str(result)).answer()
        case KeyInUse():
            return Problem(409, "key-in-use", str(result), retry_after_s=result.retry_after_s).answer()
        case Overloaded():
            return Problem(503, "overloaded", str(result), retry_after_s=result.retry_after_s).answer()
        case _:
            assert_never(result)
