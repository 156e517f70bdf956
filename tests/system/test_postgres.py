"""The whole shop in one process, its databases on PostgreSQL: the same journey, the same crashes."""

import asyncio
import signal
from random import Random

import pytest

from tests.servers import PostgresServer, require
from tests.system.load import Load
from tests.system.people import Operator
from tests.system.reckoning import reckon
from tests.system.shop_process import ShopProcess, run
from tests.system.test_crash import SEED, work_for
from tools.servers import missing_for_postgres

ON_POSTGRES = ("--ports", "auto", "--quiet", "--postgres")

pytestmark = [pytest.mark.servers, pytest.mark.crash, pytest.mark.timeout(600)]


@pytest.fixture(autouse=True)
def postgres() -> None:
    require(missing_for_postgres(18))


async def test_shop_and_its_own_server_survive_kills(process: ShopProcess) -> None:
    await process.start(*ON_POSTGRES)
    load = Load(process)
    await load.open()
    for round in range(1, 5):
        chance = Random(f"{SEED}/postgres/{round}")
        task = await work_for(load, chance.uniform(0.4, 1.5), chance)
        await process.kill()
        await task
        await process.start(*ON_POSTGRES)
        await load.supply(round + 1)
    await load.drain()
    await load.settle()
    print("  ended:", dict(await reckon(load)), "answers:", dict(load.posts))
    await Operator(process).check()
    assert await process.end() == 0


async def test_clients_script_runs_twice_and_again_after_a_restart(process: ShopProcess) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        await process.start(*ON_POSTGRES)
        for _ in range(2):
            answer = await run("shop", "order", "--data", str(process.folder))
            assert answer.returncode == 0, answer.stdout + answer.stderr
        await process.end(how)


async def test_a_server_of_yours_is_used_by_its_dsn(process: ShopProcess, postgres_server: PostgresServer) -> None:
    server = await postgres_server(16)
    dsn = server.dsn("yours_{database}")
    await process.start("--ports", "auto", "--quiet", "--postgres", dsn)
    assert (await run("shop", "order", "--data", str(process.folder))).returncode == 0
    looked = await run("amends", "check", "--dsn", dsn, "--app", "shop.app:app")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    listed = await run("amends", "sagas", "--dsn", dsn, "--app", "shop.app:app", "--json")
    assert '"completed"' in listed.stdout


async def test_server_that_is_not_there_is_said_in_one_line(process: ShopProcess) -> None:
    for dsn, told in (
        ("postgresql://nobody@127.0.0.1:9/{database}", "127.0.0.1"),
        ("postgresql://nobody@127.0.0.1:9/shop", "needs {database} in place"),
    ):
        answer = await asyncio.wait_for(run("shop", "up", "--data", str(process.folder), "--postgres", dsn), 60)
        assert answer.returncode == 1
        assert told in answer.stderr
        assert len(answer.stderr.splitlines()) == 1, answer.stderr
