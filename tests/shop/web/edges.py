"""The shop's rooms on real SQLite files, and the API in front of them, without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from amends.adapters.embedded import Embedded
from amends.service import Service
from shop.app import app as shop
from shop.billing import api as billing_api
from shop.delivery import api as delivery_api
from shop.desks import ROOMS, Desks
from shop.orders import api as orders_api
from shop.orders.counter import Counter
from shop.orders.desk import Product
from shop.participants import PARTICIPANTS
from shop.users import api as users_api
from shop.users.tokens import Verifier, verifier_of
from shop.warehouse import api as warehouse_api
from shop.web import Rates, Route, build_app, health
from tests.shop.desks import HERE, desks_of

SLOT = "2034-05-26T16:00:00Z"


@dataclass
class Edges:
    """`client` talks to the API, which asks `desks`; `services` are the rooms behind them, by name."""

    home: Embedded
    services: dict[str, Service]
    desks: Desks
    verifier: Verifier
    client: httpx.AsyncClient
    stopping: bool = False

    async def join(self, email: str = "ann@example.com", password: str = "correct horse") -> str:
        """A new user's id; from then on `client` sends the user's token."""
        made = await self.client.post("/api/users", json={"email": email, "name": "Ann", "password": password})
        assert made.status_code == 201, made.text
        session = await self.client.post("/api/sessions", json={"email": email, "password": password})
        self.client.headers["authorization"] = f"Bearer {session.json()['access_token']}"
        return str(made.json()["id"])


@asynccontextmanager
async def open_edges(folder: Path, rates: Rates | None = None, where: str = HERE) -> AsyncIterator[Edges]:
    """`where` the desks are that the API asks: here, or behind a socket."""
    async with Embedded(folder) as home:
        await open_services(home)
        async with desks_of(home.services, where) as desks:
            await _stock(desks)
            edges = await _edges(home, desks, rates)
            async with edges.client:
                yield edges


async def open_services(home: Embedded) -> None:
    """Every room's, as the shop has them."""
    for name in ROOMS:
        definitions, migrations = shop.sagas.get(name, ()), shop.databases[name]
        await home.add(name, participant=PARTICIPANTS.get(name), definitions=definitions, migrations=migrations)


async def _stock(desks: Desks) -> None:
    await desks.orders.put_products([Product("apple", "Apple", 100), Product("pear", "Pear", 250)], "shop")
    await desks.warehouse.put_stock({"apple": 100})
    await desks.delivery.put_calendar("shop", None)
    await desks.delivery.put_slots("shop", {SLOT: 3})


async def _edges(home: Embedded, desks: Desks, rates: Rates | None) -> Edges:
    verifier = await verifier_of(desks.users.jwks)
    counter = Counter(desks.orders, home.runtime, verifier, rates or Rates())
    routes: list[Route] = [
        *users_api.routes(desks.users),
        *billing_api.routes(desks.billing),
        *warehouse_api.routes(desks.warehouse, lambda: desks.orders.products("shop")),
        *delivery_api.routes(desks.delivery),
        *orders_api.routes(desks.orders, counter),
        *health.routes(desks.health, lambda: edges.stopping, home.runtime),
    ]
    app = build_app(routes, title="Shop", runtime=home.runtime, verifier=verifier, rates=rates, signals=home.signals)
    edges = Edges(home, home.services, desks, verifier, client_of(app))
    return edges


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test")
