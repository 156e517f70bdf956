"""The whole shop, as it is wired, on free ports; its clock goes on when a test says so."""

import base64
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.sqlite import SqliteStorage
from amends.connections import Params
from shop.settings import PORTS, Settings
from shop.users.tokens import AUDIENCE, ISSUER, load_keys
from shop.web import Rates
from shop.wiring import Shop

SLOT = "2034-05-26T16:00:00Z"
ORDER = {"items": [{"sku": "apple", "quantity": 1}], "slot": SLOT, "pay_with": "wallet"}
PRICE_MINOR = 100
Json = Any


class Clock(AsyncioRuntime):
    """The real one, `ahead_s` seconds ahead."""

    ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s


@dataclass
class Member:
    """A user who is signed in."""

    id: str
    email: str
    token: str
    client: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self.headers())

    async def post(self, path: str, body: Json = None, key: str = "k", **more: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return await self.client.post(path, content=content, headers=self.headers(key) | more)

    async def order(self, key: str = "k", body: Json = ORDER, **more: str) -> httpx.Response:
        return await self.post("/api/orders", body, key, **more)

    async def orders(self) -> list[Json]:
        """What the list shows."""
        listed: list[Json] = (await self.get("/api/orders")).json()
        return listed

    async def balance_minor(self) -> int:
        return int((await self.get("/api/wallet")).json()["balance_minor"])

    def headers(self, key: str = "") -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} | ({"idempotency-key": key} if key else {})


@dataclass
class Scene:
    """A running shop, somebody who talks to its API, and its operator."""

    shop: Shop
    clock: Clock
    client: httpx.AsyncClient

    async def join(self, name: str) -> Member:
        who = {"email": f"{name}@example.com", "password": "correct horse"}
        made = await self.client.post("/api/users", json=who | {"name": name})
        session = await self.client.post("/api/sessions", json=who)
        assert session.status_code == 201, f"{made.text} {session.text}"
        return Member(made.json()["id"], who["email"], session.json()["access_token"], self.client)

    async def operate(self, method: str, path: str, body: Json, token: str = "", key: str = "k") -> httpx.Response:
        """Asks the operator's edge, as the operator unless another token is given."""
        headers = {"authorization": f"Bearer {token or self.shop.operator_token}", "idempotency-key": key}
        return await self.client.request(method, self.shop.addresses["ops"] + path, json=body, headers=headers)

    def storage(self, room: str) -> SqliteStorage:
        storage = self.shop.services[room].storage
        assert isinstance(storage, SqliteStorage)
        return storage

    def break_table(self, room: str, table: str) -> None:
        """Every insert into it fails from now on, as if the process had died in the middle of the transaction."""
        trigger = f"create temp trigger crash before insert on {table} begin select raise(abort, 'crash'); end"
        self.storage(room).writer().execute(trigger)

    def mend_table(self, room: str) -> None:
        self.storage(room).writer().execute("drop trigger crash")

    async def write(self, room: str, sql: str, params: Params = ()) -> None:
        async with self.storage(room).transaction(self.clock.now()) as tx:
            await tx.run(sql, params)


class Mint:
    """Makes tokens with the shop's own key, as a thief of it might, or with any other."""

    def __init__(self, scene: Scene, member: Member) -> None:
        self._scene = scene
        self.claims: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": member.id, "email": member.email}

    async def sign(self, *, key: Any = None, algorithm: str = "EdDSA", kid: str = "", **changes: Any) -> str:
        own = (await load_keys(self._scene.shop.services["users"]))[-1]
        now = int(self._scene.clock.now())
        claims = self.claims | {"iat": now, "nbf": now, "exp": now + 900} | changes
        signing: Any = key or Ed25519PrivateKey.from_private_bytes(raw(own.private))
        secret: Any = None if algorithm == "none" else signing
        return jwt.encode(claims, secret, algorithm, headers={"kid": kid or own.kid})

    async def public_key(self) -> bytes:
        """What everybody can read."""
        return raw((await load_keys(self._scene.shop.services["users"]))[-1].public)


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@asynccontextmanager
async def open_shop(folder: Path, rates: Rates | None = None) -> AsyncIterator[Scene]:
    """`rates` bounds how often each principal may ask; the shop's own when it isn't given."""
    shop = Shop(Settings(folder / "data", ports=tuple((name, 0) for name in PORTS)))
    clock = Clock()
    shop.runtime = clock
    with pytest.MonkeyPatch.context() as settings:
        if rates is not None:
            settings.setattr("shop.edges.Rates", lambda: rates)
        await shop.start()
    try:
        async with httpx.AsyncClient(base_url=shop.addresses["api"], timeout=20, trust_env=False) as client:
            yield Scene(shop, clock, client)
    finally:
        await shop.stop()
        gc.enable()
        gc.unfreeze()
