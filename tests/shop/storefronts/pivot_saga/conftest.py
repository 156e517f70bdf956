"""The shop behind the storefront: real services on SQLite, the simulated gateway, time in the test's hands."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from amends.connections import Row
from amends.messages import Envelope
from amends.ports import Subscription, Transport
from amends.service import Service
from amends.testing.faults import Losing
from amends.testing.runtime import EPOCH, VirtualRuntime
from shop.participants import TOLD
from shop.storefronts import pivot_saga
from shop.storefronts.rooms import Rooms
from tests.shop.desks import AFAR, HERE
from tests.shop.storefronts.conftest import rooms_of, wire
from tests.shop.storefronts.gateway import Gateway, broken, open_gateway

CREATED, APPROVED = "2024-01-30T21:35:12.123456789+03:00", "0001-01-01T00:00:00Z"
ORDER: dict[str, Any] = {
    "order_id": 0,
    "user_id": 2,
    "payment": 1,
    "notification": 1,
    "created_at": CREATED,
    "approved_at": APPROVED,
    "sum": 10000,
    "items": [{"item_id": 10, "quantity": 2, "price": 45}, {"item_id": 15, "quantity": 1, "price": 10}],
    "status": 1,
    "detail": "",
}
SERVICES = ("warehouse", "payment", "notification")
ROOMS = {"warehouse": "warehouse", "payment": "payments", "notification": "notifications"}
OK, NOT_OK, CANCELLED = 3, 4, 5


class Watcher:
    """Reads the dialect's topics; `heard` is what came, in order."""

    def __init__(self, transport: Transport, runtime: VirtualRuntime) -> None:
        self.heard: list[Envelope] = []
        self._subscriptions = {topic: transport.subscribe(topic, "a test") for topic in topics()}
        self._tasks = [runtime.spawn(self._read(each), topic) for topic, each in self._subscriptions.items()]

    def of(self, topic: str, order_id: int) -> list[dict[str, Any]]:
        """The bodies of one order's messages."""
        found = [each for each in self.heard if each.to == f"orders.service.{topic}" and each.key == str(order_id)]
        return [msgspec.json.decode(each.payload) for each in found]

    async def close(self) -> None:
        for each in self._subscriptions.values():
            each.close()
        for task in self._tasks:
            await task.join()

    async def _read(self, subscription: Subscription) -> None:
        while batch := await subscription.receive(100):
            self.heard += batch
            await subscription.acknowledge(batch)


def topics() -> list[str]:
    return sorted({event.topic for event in TOLD})


@dataclass
class Shop:
    """A running shop; `clients` speak to its edges, by name, `transport` loses what the test says."""

    clients: dict[str, httpx.AsyncClient]
    runtime: VirtualRuntime
    rooms: Rooms
    services: dict[str, Service]
    gateway: Gateway
    watcher: Watcher
    transport: Losing

    async def place(self, **changed: Any) -> httpx.Response:
        return await self.clients["pivot-saga"].post("/neworder", json=ORDER | changed)

    async def order(self, **changed: Any) -> dict[str, Any]:
        """Places an order, waits for five seconds, returns it."""
        placed = await self.place(**changed)
        assert placed.status_code == 200, placed.text
        await self.runtime.advance(5.0)
        return await self.look(placed.json()["order_id"])

    async def look(self, order_id: int) -> dict[str, Any]:
        answer = await self.clients["pivot-saga"].get(f"/order/{order_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def set(self, service: str, mistakes: int) -> None:
        answer = await self.clients[f"pivot-saga/{service}"].post("/set", json={"mistakes": mistakes})
        assert (answer.status_code, answer.json()) == (200, {"mistakes": mistakes})

    async def stock(self) -> dict[str, int]:
        """What is reserved, by sku."""
        rows = await self.rows("warehouse", "select sku, sum(quantity) from reservations group by sku order by sku")
        return {sku: int(quantity) for sku, quantity in rows}

    async def rows(self, room: str, sql: str) -> list[Row]:
        async with self.services[room].storage.reading() as reader:
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
    async with open_shop() as found:
        yield found


@asynccontextmanager
async def opened(
    folder: Path, runtime: VirtualRuntime, where: str = HERE, *, faults: bool = True, twice: bool = False
) -> AsyncIterator[Shop]:
    transport = Losing(wire(twice), lambda _: False)
    watcher = Watcher(transport, runtime)
    async with rooms_of(folder, runtime, transport, where, faults) as (rooms, services), AsyncExitStack() as undo:
        gateway = await open_gateway(folder, runtime, services["payments"], undo)
        await pivot_saga.prepare(rooms)
        clients = {}
        for name, edge in pivot_saga.apps(rooms).items():
            asgi: Any = edge
            client = httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://arch.homework")
            clients[name] = await undo.enter_async_context(client)
        yield Shop(clients, runtime, rooms, services, gateway, watcher, transport)
    await watcher.close()
