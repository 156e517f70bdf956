"""The shop behind the storefront: real services on SQLite, time in the test's hands."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from amends.messages import Envelope
from amends.service import Service
from amends.testing.faults import Losing
from amends.testing.runtime import EPOCH, VirtualRuntime
from shop.audit import CHECKS
from shop.payments.audit import audit
from shop.storefronts import two_phase
from shop.storefronts.rooms import Rooms
from tests.shop.desks import AFAR, HERE
from tests.shop.storefronts.conftest import rooms_of, wire

T = TypeVar("T")

TODAY = "2033-05-18"  # when the virtual clock begins
CREATED = {"success": "Transaction created"}
NO_MONEY = {"failed": "Not enough balance"}
NO_STOCK = {"failed": "Warehouse is empty"}
NO_COURIER = {"failed": "No courier is available"}


@dataclass
class Shop:
    """A running shop; `client` speaks to its storefront, `transport` loses what the test says."""

    client: httpx.AsyncClient
    runtime: VirtualRuntime
    transport: Losing
    rooms: Rooms
    services: dict[str, Service]

    async def user(self, balance: int = 110) -> int:
        answer = await self.client.post("/user", json={"name": "testName", "balance": balance})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    async def balance(self, user: int) -> int:
        answer = await self.client.get(f"/user/{user}")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["balance"])

    async def buy(self, user: int, **changed: Any) -> Any:
        """What a purchase is answered."""
        answer = await self.ask(user, **changed)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def ask(self, user: int, **changed: Any) -> httpx.Response:
        return await self.client.post(f"/buy/user/{user}", json=wanted(**changed))

    async def race(self, *purchases: tuple[int, dict[str, Any]]) -> Counter[str]:
        """Purchases at the same time; how many are answered what."""
        answers = await asyncio.gather(*(self.buy(user, **changed) for user, changed in purchases))
        return Counter(text for answer in answers for text in answer.values())

    async def rooms_state(self) -> tuple[Any, Any, Any]:
        """What billing holds, what is reserved, what is booked."""
        held = await self._rows("billing", "select sum(held_minor) from accounts")
        reserved = await self._rows("warehouse", "select sku, reserved from stock where reserved > 0 order by sku")
        booked = await self._rows("delivery", "select slot, booked from slots where booked > 0 order by slot")
        return held[0][0], dict(reserved), dict(booked)

    async def check(self) -> None:
        """Everything adds up, in and across the rooms, of which none is paid by card; nobody is left in between."""
        async with AsyncExitStack() as stack:
            readers = {}
            for name, service in self.services.items():
                readers[name] = await stack.enter_async_context(service.storage.reading())
            findings = [each for check in CHECKS if check is not audit for each in await check(readers)]
        assert [each for each in findings if not each.holds] == []
        for room in ("warehouse", "delivery"):
            assert await self._rows(room, "select order_id from held_orders") == []

    async def later(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """The result of something that waits, so many seconds of the shop's later."""
        task = asyncio.ensure_future(work)
        await self.runtime.settle()
        await self.runtime.advance(seconds, leap_s=0.5)
        return await task

    async def _rows(self, room: str, sql: str) -> list[tuple[Any, ...]]:
        async with self.services[room].storage.reading() as reader:
            return await reader.fetch(sql)


def wanted(**changed: Any) -> dict[str, Any]:
    """The body of a purchase."""
    return {"product_name": "p", "balance_change": -10, "warehouse_id": 1, "delivery_hour": 1, **changed}


OpenShop = Callable[..., AbstractAsyncContextManager[Shop]]


def _nothing(_: Envelope) -> bool:
    return False


@pytest.fixture(params=[HERE, AFAR])
def open_shop(tmp_path: Path, request: pytest.FixtureRequest) -> OpenShop:
    """Opens the shop on the test's data folder, as often as the test likes; what matches `lost` gets lost in it."""
    times = count(EPOCH, 3600.0)

    def again(lost: Callable[[Envelope], bool] = _nothing) -> AbstractAsyncContextManager[Shop]:
        return opened(tmp_path, VirtualRuntime(seed=1, now=next(times)), request.param, lost)

    return again


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened


@asynccontextmanager
async def opened(
    folder: Path,
    runtime: VirtualRuntime,
    where: str,
    lost: Callable[[Envelope], bool] = _nothing,
    *,
    twice: bool = False,
) -> AsyncIterator[Shop]:
    transport = Losing(wire(twice), lost)
    async with rooms_of(folder, runtime, transport, where) as (rooms, services):
        await two_phase.prepare(rooms)
        storefront: Any = two_phase.apps(rooms)["two-phase"]
        asgi = httpx.ASGITransport(storefront)
        async with httpx.AsyncClient(transport=asgi, base_url="http://arch.homework") as client:
            yield Shop(client, runtime, transport, rooms, services)
