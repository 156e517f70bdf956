"""A malicious client at the shop's API: forged tokens, other people's orders. The API is the real one, in ASGI.

It is made once a process, for that costs more than a world; its desks call whichever world is at work.
"""

import asyncio
import base64
from collections.abc import Iterator, MutableMapping, Sequence
from functools import cache
from random import Random
from typing import Any, NamedTuple, cast

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.testing.worlds import World
from shop.billing import api as billing_api
from shop.delivery import api as delivery_api
from shop.orders import api as orders_api
from shop.orders.counter import Counter
from shop.users import api as users_api
from shop.users.domain import User
from shop.users.tokens import AUDIENCE, ISSUER, LIFETIME_S
from shop.warehouse import api as warehouse_api
from shop.web import Rates, build_app
from shop.web.asgi import App
from tests.simulation.shop_clients import Book
from tests.simulation.shop_load import Wanted
from tests.simulation.shop_sown import WIDE_SLOT, desks, signing_key, sown, token_at, verifier

_ASKED = 8
_BODY = msgspec.json.encode({"items": [{"sku": "apple", "quantity": 1}], "slot": WIDE_SLOT, "pay_with": "wallet"})
_MONEY = msgspec.json.encode({"amount_minor": 100_000})
_BUSY = frozenset({429, 500, 503})
_STOLEN = bytes(reversed(range(32)))


class Request(NamedTuple):
    method: str
    path: str
    body: bytes = b""


class Got(NamedTuple):
    status: int
    body: bytes


class _VirtualRuntime(AsyncioRuntime):
    """The time is that of the loop at work."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class Front(NamedTuple):
    app: App
    rates: Rates


@cache
def front() -> Front:
    """The shop's own API; whose rate was taken up in another world has to be forgotten."""
    shop, runtime, rates = desks(), _VirtualRuntime(), Rates()
    counter = Counter(shop.orders, runtime, verifier(), rates)
    routes = [
        *users_api.routes(shop.users),
        *billing_api.routes(shop.billing),
        *warehouse_api.routes(shop.warehouse, lambda: shop.orders.products("shop")),
        *delivery_api.routes(shop.delivery),
        *orders_api.routes(shop.orders, counter),
    ]
    return Front(cast(App, build_app(routes, title="Shop", runtime=runtime, verifier=verifier(), rates=rates)), rates)


class Intruder:
    """`dan`, who is a user himself, asks for what is not his."""

    def __init__(self, world: World, book: Book, random: Random) -> None:
        self._world = world
        self._book = book
        self._random = random
        self._me = sown().users["dan"]
        front().rates._full_at.clear()

    async def run(self, orders: Sequence[Wanted]) -> None:
        """Comes now and then, for whatever has been placed by then."""
        others = [wanted for wanted in orders if wanted.user != self._me.name]
        for _ in range(_ASKED):
            await asyncio.sleep(self._random.random() * 1.5)
            wanted = self._random.choice(others) if others else None
            placed = sorted(self._book.placed.get(wanted.key, ())) if wanted else []
            if wanted and placed:
                await self._with_own_token(wanted, placed[0])
                await self._with_forged_tokens(wanted, placed[0])

    async def _with_own_token(self, wanted: Wanted, order_id: str) -> None:
        good = token_at(self._me, self._world.loop.time())
        for request in _of_order(order_id):
            got = await self._ask(request, good)
            self._judge(wanted, request, got, {404})
        for path in ("/api/orders?limit=100", "/api/wallet", "/api/wallet/entries"):
            got = await self._ask(Request("GET", path), good)
            self._judge(wanted, Request("GET", path), got, {200, 404}, order_id)

    async def _with_forged_tokens(self, wanted: Wanted, order_id: str) -> None:
        victim = sown().users[wanted.user]
        forged = list(_forged(victim, int(self._world.loop.time())))
        for request in (*_of_order(order_id), *_OF_EVERYBODY):
            got = await self._ask(request, self._random.choice(forged))
            self._judge(wanted, request, got, {401})

    def _judge(self, wanted: Wanted, request: Request, got: Got, fine: set[int], secret: str = "\0") -> None:
        """Nothing of the victim is in any answer; a path that names an order is not a secret any more."""
        victim = sown().users[wanted.user]
        told = got.body.decode()
        if got.status not in fine | _BUSY or victim.email in told or secret in told:
            self._book.wrong.append(f"{request.method} {request.path} of {victim.name} gave {got.status}: {told[:200]}")

    async def _ask(self, request: Request, authorization: bytes) -> Got:
        answer: list[MutableMapping[str, Any]] = []
        path, _, query = request.path.partition("?")
        scope = _scope(request.method, path, query, authorization)

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": request.body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            answer.append(message)

        await front().app(scope, receive, send)
        got = Got(answer[0]["status"], b"".join(each.get("body", b"") for each in answer))
        self._world.tell("dan", request.method, f"{request.path} {got.status}")
        return got


_OF_EVERYBODY = (
    Request("GET", "/api/orders"),
    Request("GET", "/api/wallet"),
    Request("GET", "/api/wallet/entries"),
    Request("POST", "/api/wallet/deposits", _MONEY),
    Request("POST", "/api/orders", _BODY),
)


def _of_order(order_id: str) -> tuple[Request, ...]:
    path = f"/api/orders/{order_id}"
    return Request("GET", path), Request("POST", f"{path}/cancel")


def _scope(method: str, path: str, query: str, authorization: bytes) -> dict[str, Any]:
    headers = [(b"idempotency-key", b"stolen"), (b"content-type", b"application/json"), (b"host", b"shop.test")]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [*headers, (b"authorization", authorization)] if authorization else headers,
        "client": ("192.0.2.7", 4711),
        "server": ("shop.test", 80),
        "state": {},
        "extensions": {},
    }


def _forged(victim: User, now: int) -> Iterator[bytes]:
    """Tokens that say that they are the victim's."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME_S,
        "sub": victim.id,
        "email": victim.email,
    }
    kid = signing_key().kid
    stolen = Ed25519PrivateKey.from_private_bytes(_STOLEN)
    good = token_at(victim, now).split(b" ")[1]
    header, _, signature = good.split(b".")
    yield b""
    yield b"Bearer "
    yield b"Basic " + base64.b64encode(victim.email.encode() + b":")
    yield b"Bearer " + jwt.encode(claims, "", "none", headers={"kid": kid}).encode()
    yield b"Bearer " + jwt.encode(claims, stolen, "EdDSA", headers={"kid": kid}).encode()
    yield b"Bearer " + jwt.encode(claims, stolen, "EdDSA", headers={"kid": "another"}).encode()
    yield b"Bearer " + jwt.encode(claims, signing_key().public * 2, "HS256", headers={"kid": kid}).encode()
    yield b"Bearer " + b".".join([header, _encoded(claims | {"exp": now + 10**9}), signature])
    yield token_at(victim, now - 3600)
    yield token_at(victim, now + 3600)


def _encoded(claims: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=")
