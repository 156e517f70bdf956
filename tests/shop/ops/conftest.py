"""The operator's edge for each test, beside the API."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from amends.adapters.prometheus import Meter
from amends.audit import Finding
from shop.app import app as shop
from shop.console.routes import routes as console_routes
from shop.ops.app import Operating, build_ops
from shop.ops.desks import SagasDesk
from shop.ops.door import Door
from shop.ops.sagas import Sagas
from shop.web import health
from tests.shop.desks import AFAR, HERE, sagas_from_afar
from tests.shop.ops.harbour import Harbour, delayed, voyage
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


@pytest.fixture(params=[HERE, AFAR])
async def ops(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Ops]:
    async with AsyncExitStack() as stack:
        edges = await stack.enter_async_context(open_edges(tmp_path, where=request.param))
        harbour = Harbour(edges.home)
        await harbour.open()
        voyages = SagasDesk(edges.services["voyages"])
        if request.param == AFAR:
            voyages = await stack.enter_async_context(sagas_from_afar(voyages))
        findings = [Finding("billing: postings sum to zero", True, {"postings": 4})]
        operating = operating_of(edges, voyages, findings)
        app = build_ops(operating, health.routes({}, lambda: False, edges.home.runtime), console_routes(operating))
        program = await stack.enter_async_context(client_of(app))
        browser = await stack.enter_async_context(client_of(app))
        program.headers["authorization"] = f"Bearer {TOKEN}"
        yield Ops(edges, harbour, program, browser, findings)


def operating_of(edges: Edges, voyages: SagasDesk, findings: list[Finding]) -> Operating:
    async def check() -> list[Finding]:
        return findings

    home, desks = edges.home, edges.desks
    definitions = [voyage, delayed, *(saga for sagas in shop.sagas.values() for saga in sagas)]
    sagas = Sagas({**desks.sagas, "voyages": voyages}, definitions, desks.orders.cancel_saga)
    meter = Meter(list(edges.services.values()), home.signals, home.runtime)
    return Operating(desks, sagas, check, meter, Door(TOKEN), home.runtime, home.signals)
