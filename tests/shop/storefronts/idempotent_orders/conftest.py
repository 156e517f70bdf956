"""The shop behind the storefront: real services on SQLite, time in the test's hands."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from amends.connections import Row
from amends.service import Service
from amends.testing.faults import Losing
from amends.testing.runtime import EPOCH, VirtualRuntime
from shop.audit import audit_orders
from shop.billing.audit import audit as audit_billing
from shop.storefronts import idempotent_orders
from shop.storefronts.rooms import Rooms
from tests.shop.desks import AFAR, HERE
from tests.shop.storefronts.conftest import rooms_of, wire

T = TypeVar("T")

TWO = {"items": [{"product_id": 1, "quantity": 1}, {"product_id": 2, "quantity": 1}]}
ANN = {
    "email": "ann@example.org",
    "phone": "+7 999 123-45-67",
    "first_name": "Ann",
    "last_name": "Lee",
    "password": "secret",
}


@dataclass
class Client:
    """One user of the storefront; `token` is sent when there is one."""

    http: httpx.AsyncClient
    token: str = ""
    id: int = 0

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """`body`: bytes as they are, anything else as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent = {"Authorization": f"Bearer {self.token}", **sent}
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.http.request(method, path, headers=sent, **content)

    async def join(self, email: str = ANN["email"]) -> "Client":
        """A new user with a token."""
        answer = await self.ask("POST", "/register/", {**ANN, "email": email})
        assert answer.status_code == 201, answer.text
        joined = replace(self, token=answer.json()["access_token"])
        joined.id = (await joined.account())["id"]
        return joined

    async def account(self) -> dict[str, Any]:
        answer = await self.ask("GET", "/account/")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def balance(self) -> int:
        return int((await self.account())["balance"])

    async def transact(self, type: str, amount: int, **headers: str) -> httpx.Response:
        body = {"account_id": self.id, "type": type, "amount": amount, "currency": "USD"}
        return await self.ask("POST", "/balance_transactions/", body, **headers)

    async def transactions(self) -> list[tuple[str, int]]:
        """Type and amount, the oldest first."""
        listed = (await self.ask("GET", "/balance_transactions/")).json()
        return [(each["type"], each["amount"]) for each in reversed(listed)]

    async def order(self, key: str, body: Any = None) -> httpx.Response:
        return await self.ask("POST", "/orders/", TWO if body is None else body, X_Idempotency_Key=key)

    async def placed(self, key: str) -> tuple[int, str]:
        """Id and status of an order of two products."""
        answer = await self.order(key)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["status"]


@dataclass
class Shop:
    """A running shop; `guest` speaks to its storefront, `transport` loses what the test says."""

    guest: Client
    runtime: VirtualRuntime
    transport: Losing
    rooms: Rooms
    services: dict[str, Service]

    async def in_time(self, work: Awaitable[T]) -> T:
        """The result of something while time passes."""
        asked = asyncio.ensure_future(work)
        while not asked.done():
            await self.runtime.advance(0.5)
        return asked.result()

    async def rows(self, room: str, sql: str) -> list[Row]:
        async with self.services[room].storage.reading() as reader:
            return await reader.fetch(sql)

    async def broken(self) -> list[str]:
        """What the auditor finds."""
        await self.runtime.settle()
        async with AsyncExitStack() as stack:
            storages = {name: each.storage for name, each in self.services.items()}
            readers = {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}
            checks = (audit_orders, audit_billing)
            return [found.name for check in checks for found in await check(readers) if not found.holds]


OpenShop = Callable[[], AbstractAsyncContextManager[Shop]]


@pytest.fixture(params=[HERE, AFAR])
def open_shop(tmp_path: Path, request: pytest.FixtureRequest) -> OpenShop:
    """Opens the shop on the test's data folder, as often as the test likes."""
    times = count(EPOCH, 3600.0)
    return lambda: opened(tmp_path, VirtualRuntime(seed=1, now=next(times)), request.param)


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@pytest.fixture
async def ann(shop: Shop) -> Client:
    """A user who has 10000."""
    joined = await shop.guest.join()
    assert (await joined.transact("charge", 10_000)).status_code == 201
    return joined


@asynccontextmanager
async def storefront(rooms: Rooms) -> AsyncIterator[Client]:
    """A process of the storefront; a test may start another one over the same rooms."""
    asgi: Any = idempotent_orders.apps(rooms)["idempotent-orders"]
    transport = httpx.ASGITransport(asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://arch.homework") as http:
        yield Client(http)


@asynccontextmanager
async def opened(folder: Path, runtime: VirtualRuntime, where: str, *, twice: bool = False) -> AsyncIterator[Shop]:
    transport = Losing(wire(twice), lambda _: False)
    async with rooms_of(folder, runtime, transport, where) as (rooms, services):
        await idempotent_orders.prepare(rooms)
        async with storefront(rooms) as guest:
            yield Shop(guest, runtime, transport, rooms, services)
