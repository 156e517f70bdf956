"""The shop behind the storefront: real services on SQLite, the simulated gateway, time in the test's hands."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from amends.connections import Row
from amends.service import Service
from amends.testing.faults import Losing
from amends.testing.runtime import EPOCH, VirtualRuntime
from shop.storefronts import parallel_saga
from shop.storefronts.rooms import Rooms
from tests.shop.desks import AFAR, HERE
from tests.shop.storefronts.conftest import rooms_of, wire
from tests.shop.storefronts.gateway import Gateway, broken, open_gateway

NEXT_YEAR, LONG_AGO = "2034-06-26T16:00:00", "2022-06-26T16:00:00"  # by the virtual clock and by real ones
PHONE = {"item": "phone", "amount": 1, "price": 123.45}
ORDER: dict[str, Any] = {"status": "PENDING", "contents": [PHONE]}
UNKNOWN = "018f0000-0000-7000-8000-000000000000"


@dataclass
class Shop:
    """A running shop; `client` speaks to its storefront, `transport` loses what the test says."""

    client: httpx.AsyncClient
    runtime: VirtualRuntime
    transport: Losing
    rooms: Rooms
    services: dict[str, Service]
    gateway: Gateway

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """What is answered with 200."""
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        return await self.ask("GET", path)

    async def place(self, *contents: dict[str, Any], at: str = NEXT_YEAR) -> httpx.Response:
        """Asks for an order of one phone, unless it is said of what."""
        body = {"contents": contents or ORDER["contents"], "timeDelivery": at}
        return await self.client.post("/order/order/saga", json=body)

    async def place_in_time(self, at: str = NEXT_YEAR) -> httpx.Response:
        """The same while time passes."""
        asked = asyncio.create_task(self.place(at=at))
        while not asked.done():
            await self.runtime.advance(0.5, leap_s=0.5)
            await asyncio.wait([asked], timeout=0.02)  # sockets take real time
        return asked.result()

    async def rows(self, room: str, sql: str) -> list[Row]:
        storage = self.gateway.storage if room == "gateway" else self.services[room].storage
        async with storage.reading() as reader:
            return await reader.fetch(sql)

    async def broken(self) -> list[str]:
        """What the auditor finds."""
        await self.runtime.settle()
        return await broken(self.services, self.gateway)


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


@asynccontextmanager
async def opened(folder: Path, runtime: VirtualRuntime, where: str, *, twice: bool = False) -> AsyncIterator[Shop]:
    transport = Losing(wire(twice), lambda _: False)
    async with rooms_of(folder, runtime, transport, where) as (rooms, services), AsyncExitStack() as undo:
        gateway = await open_gateway(folder, runtime, services["payments"], undo)
        await parallel_saga.prepare(rooms)
        asgi: Any = parallel_saga.apps(rooms)["parallel-saga"]
        client = httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://arch.homework")
        yield Shop(await undo.enter_async_context(client), runtime, transport, rooms, services, gateway)
