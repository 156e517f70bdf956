"""Breaking rooms on purpose, by the operator: over HTTP, and by the command."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from amends.adapters.embedded import Embedded
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.service import Service
from amends.signals import Signals
from shop import faults_command
from shop.app import app
from shop.desks import TAKING
from shop.faults import faults_of
from shop.main import parser
from shop.ops import fault_api
from shop.ops.desks import FaultsDesk
from shop.ops.door import Door
from shop.participants import PARTICIPANTS
from shop.servers import Edge, Servers
from shop.web import build_app
from tests.shop.ops.conftest import Ops

TOKEN = "the-operators-token"


@asynccontextmanager
async def rooms(folder: Path, wanted: bool) -> AsyncIterator[dict[str, FaultsDesk]]:
    """The desks of rooms that wait for nothing but their faults."""
    async with Embedded(folder) as home:
        services = {}
        for name in TAKING:
            storage = SqliteStorage(folder / f"{name}.db", app.databases[name])
            faults = faults_of(name, wanted, home.runtime)
            services[name] = Service(
                storage, InProcess(), home.runtime, Signals(), participant=PARTICIPANTS[name], faults=faults
            )
        yield {name: FaultsDesk(service) for name, service in services.items()}
        for service in services.values():
            await service.storage.close()


@asynccontextmanager
async def client_of(folder: Path, wanted: bool = True) -> AsyncIterator[httpx.AsyncClient]:
    async with rooms(folder, wanted) as desks, Embedded() as home:
        ops: Any = build_app(fault_api.routes(desks), title="ops", runtime=home.runtime)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(ops), base_url="http://ops.test") as client:
            yield client


async def test_fault_is_set_shown_and_cleared(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        put = await client.put("/ops/faults/warehouse", json={"refuse": 30, "lose": 10})
        assert (put.status_code, put.json()) == (200, [{"refuse": 30, "lose": 10}])
        await client.put("/ops/faults/warehouse", json={"slow_ms": 100, "saga": "place-order"})
        every = (await client.get("/ops/faults")).json()
        assert set(every) == set(TAKING)
        assert every["warehouse"] == [{"refuse": 30, "lose": 10}, {"slow_ms": 100, "saga": "place-order"}]
        assert (await client.put("/ops/faults/warehouse", json={})).json() == [{"slow_ms": 100, "saga": "place-order"}]
        await client.put("/ops/faults/warehouse", json={"saga": "place-order"})
        assert (await client.get("/ops/faults/warehouse")).json() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"refuse":101}',
        b'{"lose":-1}',
        b'{"twice":"x"}',
        b'{"down_s":NaN}',
        b'{"late_s":1e99}',
        b'{"saga":"none"}',
        b'{"break":1}',
    ],
)
async def test_fault_that_can_not_be_changes_nothing(tmp_path: Path, body: bytes) -> None:
    async with client_of(tmp_path) as client:
        await client.put("/ops/faults/billing", json={"lose": 5})
        answer = await client.put("/ops/faults/billing", content=body)
        assert answer.status_code == 400
        assert answer.json()["detail"]
        assert (await client.get("/ops/faults/billing")).json() == [{"lose": 5}]


async def test_room_that_takes_no_commands_is_404(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        for room in ("users", "kitchen"):
            assert (await client.get(f"/ops/faults/{room}")).status_code == 404


async def test_without_the_option_404_says_how_to_switch_them_on(tmp_path: Path) -> None:
    async with client_of(tmp_path, wanted=False) as client:
        for answer in (
            await client.get("/ops/faults"),
            await client.get("/ops/faults/billing"),
            await client.put("/ops/faults/billing", json={"lose": 5}),
        ):
            assert answer.status_code == 404
            assert "--faults" in answer.json()["detail"]


async def test_operators_edge_has_the_routes_behind_its_door(ops: Ops) -> None:
    """Here and behind a socket; these rooms were not opened with faults."""
    assert (await ops.browser.get("/ops/faults")).status_code == 401
    answer = await ops.program.put("/ops/faults/billing", json={"lose": 5})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/faults-off")
    assert "--faults" in answer.json()["detail"]


async def test_command_sets_shows_and_clears(tmp_path: Path) -> None:
    async with rooms(tmp_path, wanted=True) as desks, Embedded() as home:
        guarded: Any = build_app(
            fault_api.routes(desks), title="ops", runtime=home.runtime, docs_guards=[Door(TOKEN).guard]
        )
        servers = Servers(home.runtime)
        url = await servers.start(Edge("ops", guarded), "127.0.0.1", 0)
        (tmp_path / "addresses.json").write_text(json.dumps({"queue-saga": url, "ops": url}))
        (tmp_path / "operator.token").write_text(TOKEN)
        assert await said(tmp_path, "warehouse --refuse 30 --late-s 7") == (0, "warehouse: refuse 30, late_s 7.0\n")
        assert await said(tmp_path, "warehouse") == (0, "warehouse: refuse 30, late_s 7.0\n")
        code, every = await said(tmp_path, "")
        assert (code, "billing: all is well\n" in every) == (0, True)
        assert await said(tmp_path, "warehouse --clear") == (0, "warehouse: all is well\n")
        assert (await said(tmp_path, "warehouse --refuse 101"))[0] == 1
        await servers.stop()
    assert (await said(tmp_path, "warehouse"))[0] == 1


async def test_command_says_that_no_shop_runs(tmp_path: Path) -> None:
    code, text = await said(tmp_path, "warehouse --refuse 30")
    assert code == 1
    assert "isn't running" in text


@pytest.mark.parametrize("line", ["--refuse 30", "--clear", "billing --clear --lose 5"])
def test_command_that_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"room|clear"):
        faults_command.fault_of(parser().parse_args(["faults", *line.split()]))


async def said(folder: Path, line: str) -> tuple[int, str]:
    """What the command returns, and prints."""
    arguments = parser().parse_args(["faults", *line.split()])
    told = io.StringIO()
    fault = faults_command.fault_of(arguments)
    console = Console(file=told, width=100, highlight=False, soft_wrap=True)
    return await faults_command.run(folder, arguments.room, fault, console), told.getvalue()
