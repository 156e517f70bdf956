"""The rooms that an order of a storefront passes through: real services on SQLite, time in the test's hands."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.messages import Envelope
from amends.ports import Runtime, Transport
from amends.service import Service
from amends.signals import Signals
from amends.testing.faults import Duplicating, Losing
from amends.testing.runtime import EPOCH, VirtualRuntime
from shop.app import app
from shop.desks import ROOMS
from shop.faults import faults_of
from shop.participants import PARTICIPANTS
from shop.storefronts import queue_saga
from shop.storefronts.rooms import Rooms
from shop.users.tokens import verifier_of
from tests.shop.desks import AFAR, HERE, desks_of


@dataclass
class Shop:
    """A running shop; `client` speaks to its storefront, `transport` loses what the test says."""

    client: httpx.AsyncClient
    runtime: VirtualRuntime
    transport: Losing
    rooms: Rooms
    services: dict[str, Service]

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def answer(self, path: str) -> Any:
        """What a GET answers."""
        response = await self.client.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    async def order(self, login: str, **changed: Any) -> dict[str, Any]:
        """Places an order, lets its saga end, returns the last order."""
        response = await self.post("/orders/", **wanted(login, **changed))
        assert response.status_code == 200, response.text
        await self.runtime.settle()
        last: dict[str, Any] = await self.answer("/orders/last")
        assert last["id"] == response.json()["id"]
        return last

    async def state(self, login: str) -> tuple[Any, Any, Any]:
        """Balance, stock and bookings, as clients see them."""
        account = await self.answer(f"/billing/account/{login}")
        return account["balance"], await self.answer("/stock"), await self.answer("/delivery")


def wanted(login: str, **changed: Any) -> dict[str, Any]:
    """The body of an order."""
    plain = {"e_mail": "ann@example.org", "id_product": 1, "quntity": 1, "amount": 1, "dtime": "2025-01-08 10:00:00"}
    return {"login": login, **plain, **changed}


OpenShop = Callable[[], AbstractAsyncContextManager[Shop]]


@pytest.fixture(params=[HERE, AFAR])
def open_shop(tmp_path: Path, request: pytest.FixtureRequest) -> OpenShop:
    """Opens the shop on the test's data folder, as often as the test likes."""
    times = count(EPOCH, 3600.0)
    return lambda: opened(tmp_path, VirtualRuntime(seed=1, now=next(times)), request.param)


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    """A shop with the login `ann`, who has 1000, and 100 apples."""
    async with open_shop() as opened:
        await opened.client.post("/billing/register?login=ann")
        await opened.post("/billing/refill", login="ann", balance=1000)
        await opened.post("/stock/register", description="apple", quantity=100)
        yield opened


@asynccontextmanager
async def opened(folder: Path, runtime: VirtualRuntime, where: str, *, twice: bool = False) -> AsyncIterator[Shop]:
    transport = Losing(wire(twice), _nothing)
    async with rooms_of(folder, runtime, transport, where) as (rooms, services):
        storefront: Any = queue_saga.apps(rooms)["queue-saga"]
        asgi = httpx.ASGITransport(storefront)
        async with httpx.AsyncClient(transport=asgi, base_url="http://arch.homework") as client:
            yield Shop(client, runtime, transport, rooms, services)


@asynccontextmanager
async def rooms_of(
    folder: Path, runtime: Runtime, transport: Transport, where: str = HERE, faults: bool = False
) -> AsyncIterator[tuple[Rooms, dict[str, Service]]]:
    """Starts the services; stops them at the end. `where` their desks are: here, or behind a socket.

    With `faults` they can be broken on purpose.
    """
    services: dict[str, Service] = {}
    for name in ROOMS:
        storage = SqliteStorage(folder / f"{name}.db", app.databases[name])
        await storage.migrate()
        participant, sagas = PARTICIPANTS.get(name), app.sagas.get(name, ())
        services[name] = Service(
            storage,
            transport,
            runtime,
            Signals(),
            participant=participant,
            definitions=sagas,
            faults=faults_of(name, faults, runtime),
        )
        await services[name].start()
    async with desks_of(services, where) as desks:
        rooms = Rooms(
            desks.orders,
            desks.billing,
            desks.payments,
            desks.warehouse,
            desks.delivery,
            desks.users,
            desks.notifications,
            runtime,
            await verifier_of(desks.users.jwks),
            desks.faults,
        )
        await queue_saga.prepare(rooms)
        yield rooms, services
    for service in services.values():
        await service.stop()


def wire(twice: bool) -> Transport:
    """Brings every message, or brings it twice."""
    return Duplicating(InProcess(), times=2) if twice else InProcess()


def _nothing(_: Envelope) -> bool:
    return False


IN_FULL = ("test_bad_input.py", "test_records.py", "test_bad_access.py", "test_queue_saga_bad_input.py")
"""Where it is enough, between soaks, to ask desks that are here."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in IN_FULL and f"[{AFAR}" in item.name:
            item.add_marker(pytest.mark.long)
