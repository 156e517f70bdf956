"""The operator's edge for each test, beside the API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from amends.audit import Finding
from shop.console.routes import routes as console_routes
from shop.ops.app import Operating, Rooms, build_ops
from shop.ops.door import Door
from shop.ops.metrics import Meter
from shop.ops.sagas import Sagas
from shop.orders.tables import cancel_saga_of
from shop.web import health
from tests.shop.ops.harbour import Harbour
from tests.shop.web.edges import Edges, client_of, open_edges

TOKEN = "the-operators-token"


@dataclass
class Ops:
    """`program` sends the token, `browser` has nothing yet; `findings` is what the checks say."""

    edges: Edges
    harbour: Harbour
    program: httpx.AsyncClient
    browser: httpx.AsyncClient
    findings: list[Finding]

    async def sign_in(self) -> None:
        """Gives the browser its cookie."""
        answer = await self.browser.get("/ops/signin", params={"token": TOKEN})
        assert answer.status_code == 303, answer.text


@pytest.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Ops]:
    async with open_edges(tmp_path) as edges:
        harbour = Harbour(edges.home)
        await harbour.open()
        findings = [Finding("billing: postings sum to zero", True, {"postings": 4})]
        operating = operating_of(edges, findings)
        app = build_ops(operating, health.routes(list, lambda: False), console_routes(operating))
        async with client_of(app) as program, client_of(app) as browser:
            program.headers["authorization"] = f"Bearer {TOKEN}"
            yield Ops(edges, harbour, program, browser, findings)


def operating_of(edges: Edges, findings: list[Finding]) -> Operating:
    services = edges.services
    rooms = Rooms(services["orders"], services["billing"], services["warehouse"], services["delivery"])

    async def check() -> list[Finding]:
        return findings

    async def cancel_saga(order_id: str) -> str | None:
        async with rooms.orders.storage.reading() as reader:
            return await cancel_saga_of(reader, order_id)

    everything = list(services.values())
    home = edges.home
    meter = Meter(everything, home.signals, home.runtime)
    return Operating(rooms, Sagas(everything, cancel_saga), check, meter, Door(TOKEN), home.runtime, home.signals)
