"""`shop order` against a shop that listens on real ports."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from litestar import Router
from litestar.handlers import HTTPRouteHandler
from rich.console import Console

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.ports import Runtime
from amends.service import Service
from shop import order_script
from shop.ops import saga_api
from shop.ops.desks import SagasDesk
from shop.ops.door import Door
from shop.ops.sagas import Sagas
from shop.orders.sagas import place_order
from shop.servers import Edge, Servers
from shop.storefronts import queue_saga
from shop.storefronts.queue_saga import storefront
from shop.web import build_app
from tests.shop.storefronts.conftest import rooms_of


class Told:
    """A console whose text can be read."""

    def __init__(self) -> None:
        self._file = io.StringIO()
        self.console = Console(file=self._file, width=100)

    @property
    def text(self) -> str:
        return self._file.getvalue()


@pytest.fixture
def told() -> Told:
    return Told()


@asynccontextmanager
async def listening(data: Path) -> AsyncIterator[AsyncioRuntime]:
    """Storefront and operator's API on free ports, found through `addresses.json`."""
    runtime, transport = AsyncioRuntime(), InProcess()
    async with rooms_of(data, runtime, transport) as (rooms, services):
        servers = Servers(runtime)
        door = Router("/", guards=[Door("secret").guard], route_handlers=_operators(services, runtime))
        ops = build_app([door], title="ops", runtime=runtime)
        addresses = {
            "queue-saga": await servers.start(Edge("queue-saga", queue_saga.apps(rooms)["queue-saga"]), "127.0.0.1", 0),
            "ops": await servers.start(Edge("ops", ops), "127.0.0.1", 0),
        }
        (data / order_script.ADDRESSES).write_text(json.dumps(addresses))
        (data / order_script.TOKEN).write_text("secret\n")
        yield runtime
        await servers.stop()


def _operators(services: dict[str, Service], runtime: Runtime) -> list[HTTPRouteHandler]:
    return saga_api.routes(Sagas({"orders": SagasDesk(services["orders"])}, [place_order], _no_cancel), runtime)


async def _no_cancel(_: str) -> str | None:
    return None


async def test_script_shows_what_was_asked_what_came_out_and_what_was_undone(tmp_path: Path, told: Told) -> None:
    async with listening(tmp_path) as runtime:
        assert await order_script.run(tmp_path, told.console, runtime) == 0
    shown = [" ".join(line.split()) for line in told.text.splitlines()]
    assert shown[2:8] == [
        "asked came out undone balance apples booked",
        "before 1000.0 100 0",
        "1 apple for 1 Delivery Succes – 999.0 99 1",
        "1 apple for 10000 Not enough money stock, courier 999.0 99 1",
        "1000 apples for 1 Not enough position quantity money, courier 999.0 99 1",
        "same time again Delivery Error money, stock 999.0 99 1",
    ]
    assert "as documented" in told.text


async def test_script_runs_again_on_the_same_data_folder(tmp_path: Path, told: Told) -> None:
    for _ in range(2):
        async with listening(tmp_path) as runtime:
            assert await order_script.run(tmp_path, told.console, runtime) == 0
            assert await order_script.run(tmp_path, told.console, runtime) == 0


async def test_shop_that_does_not_run_is_said_so(tmp_path: Path, told: Told) -> None:
    assert await order_script.run(tmp_path, told.console, AsyncioRuntime()) == 1
    assert "isn't running" in told.text


async def test_stale_addresses_are_said_so(tmp_path: Path, told: Told) -> None:
    async with listening(tmp_path):
        pass
    assert await order_script.run(tmp_path, told.console, AsyncioRuntime()) == 1
    assert "Nothing listens" in told.text


async def test_outcome_that_is_not_documented_is_shown(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storefront, "COURIERS", 2)
    async with listening(tmp_path) as runtime:
        assert await order_script.run(tmp_path, told.console, runtime) == 1
    assert "order 4 ended as 'Delivery Succes', documented is 'Delivery Error'" in told.text


async def test_script_goes_without_the_operators_api(tmp_path: Path, told: Told) -> None:
    async with listening(tmp_path) as runtime:
        found = order_script.locate(tmp_path)
        assert found is not None
        assert await order_script.run_against(found._replace(token=""), told.console, runtime) == 0
        assert await order_script.run_against(found._replace(ops=""), told.console, runtime) == 0
    assert told.text.count(" ?  ") == 8
