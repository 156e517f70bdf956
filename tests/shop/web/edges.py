"""The shop's rooms on real SQLite files, and the API in front of them, without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from amends.adapters.embedded import Embedded
from amends.adapters.threads import Threads
from amends.service import Service
from shop.billing import api as billing_api
from shop.billing.participant import billing
from shop.billing.tables import MIGRATIONS as BILLING
from shop.delivery import api as delivery_api
from shop.delivery.participant import delivery
from shop.delivery.tables import MIGRATIONS as DELIVERY
from shop.delivery.tables import put_calendar, put_slot
from shop.notifications.participant import notifications
from shop.notifications.tables import MIGRATIONS as NOTIFICATIONS
from shop.orders.participant import orders
from shop.orders.sagas import cancel_order, place_order
from shop.orders.tables import MIGRATIONS as ORDERS
from shop.orders.tables import Product, products, put_product
from shop.users import api as users_api
from shop.users.accounts import Accounts
from shop.users.passwords import Passwords
from shop.users.sagas import open_wallet
from shop.users.tables import MIGRATIONS as USERS
from shop.users.tokens import Issuer, Verifier, load_keys, tokens_of
from shop.warehouse import api as warehouse_api
from shop.warehouse.participant import warehouse
from shop.warehouse.tables import MIGRATIONS as WAREHOUSE
from shop.warehouse.tables import put_stock
from shop.web import Rates, Route, build_app, health

SLOT = "2034-05-26T16:00:00Z"


@dataclass
class Edges:
    """`client` talks to the API; `services` are the rooms by name."""

    home: Embedded
    services: dict[str, Service]
    issuer: Issuer
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
async def open_edges(folder: Path, rates: Rates | None = None) -> AsyncIterator[Edges]:
    threads = Threads(2)
    async with Embedded(folder) as home:
        services = await _services(home)
        edges = await _edges(home, services, threads, rates)
        async with edges.client:
            yield edges
    threads.close()


async def _services(home: Embedded) -> dict[str, Service]:
    await home.add("billing", participant=billing, migrations=BILLING)
    await home.add("warehouse", participant=warehouse, migrations=WAREHOUSE)
    await home.add("delivery", participant=delivery, migrations=DELIVERY)
    await home.add("notifications", participant=notifications, migrations=NOTIFICATIONS)
    await home.add("orders", participant=orders, definitions=[place_order, cancel_order], migrations=ORDERS)
    await home.add("users", definitions=[open_wallet], migrations=USERS)
    await _stock(home)
    return home.services


async def _stock(home: Embedded) -> None:
    now = home.runtime.now()
    async with home.services["orders"].storage.transaction(now) as tx:
        for sku, price in (("apple", 100), ("pear", 250)):
            await put_product(tx, Product(sku, sku.title(), price))
    async with home.services["warehouse"].storage.transaction(now) as tx:
        await put_stock(tx, "apple", 100)
    async with home.services["delivery"].storage.transaction(now) as tx:
        await put_calendar(tx, "shop", None)
        await put_slot(tx, "shop", SLOT, 3)


async def _edges(home: Embedded, services: dict[str, Service], threads: Threads, rates: Rates | None) -> Edges:
    issuer, verifier = tokens_of(await load_keys(services["users"]))
    accounts = Accounts(services["users"], Passwords(threads))

    async def catalogue() -> list[Product]:
        async with services["orders"].storage.reading() as reader:
            return await products(reader)

    routes: list[Route] = [
        *users_api.routes(accounts, issuer, verifier, home.runtime),
        *billing_api.routes(services["billing"]),
        *warehouse_api.routes(services["warehouse"], catalogue),
        *delivery_api.routes(services["delivery"]),
        *health.routes(lambda: list(services.values()), lambda: edges.stopping),
    ]
    app = build_app(routes, title="Shop", runtime=home.runtime, verifier=verifier, rates=rates, signals=home.signals)
    edges = Edges(home, services, issuer, verifier, client_of(app))
    return edges


def client_of(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.test")
