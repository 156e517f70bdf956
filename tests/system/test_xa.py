"""`shop up --xa`: purchases whose votes are prepared transactions of a real PostgreSQL."""

import asyncio
from collections import Counter
from random import Random
from typing import Any

import httpx
import pytest

from tests.servers import PostgresServer
from tests.system.people import Operator, until
from tests.system.shop_process import ShopProcess, run
from tools.servers import Postgres

CREATED, POOR = {"success": "Transaction created"}, {"failed": "Not enough balance"}
EMPTY, NOBODY = {"failed": "Warehouse is empty"}, {"failed": "No courier is available"}
ROOMS = ("billing", "warehouse", "delivery")
VERSION, BUYERS = 16, 24

pytestmark = [pytest.mark.servers, pytest.mark.crash, pytest.mark.timeout(600)]


class Shop:
    """A shop on a server, and a client of its storefront."""

    def __init__(self, process: ShopProcess, server: Postgres) -> None:
        self.process = process
        self.server = server

    async def start(self) -> None:
        dsn = self.server.dsn("xa_shop_{database}")
        await self.process.start("--ports", "auto", "--quiet", "--xa", "--postgres", dsn)

    async def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.process.addresses["two-phase"], timeout=60) as client:
            return await client.request(method, path, json=body or None)

    async def user(self, balance: int) -> int:
        answer = await self.ask("POST", "/user", name="ann", balance=balance)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    async def balance(self, user: int) -> int:
        return int((await self.ask("GET", f"/user/{user}")).json()["balance"])

    async def buy(self, user: int, **changed: int) -> httpx.Response:
        body = {"product_name": "p", "balance_change": -10, "warehouse_id": 1, "delivery_hour": 1, **changed}
        return await self.ask("POST", f"/buy/user/{user}", **body)

    async def prepared(self) -> list[str]:
        found = await self.server.run("select gid from pg_prepared_xacts where database like 'xa_shop_%'")
        return [row["gid"] for row in found]

    async def rows(self, room: str, sql: str) -> Any:
        return await self.server.run(sql, database=f"xa_shop_{room}")

    async def rest(self) -> None:
        """Every saga has ended, nothing is prepared, everything adds up."""
        await Operator(self.process).settle()

        async def are_gone() -> bool:
            return not await self.prepared()

        await until(are_gone)
        await Operator(self.process).check()


@pytest.fixture
async def shop(process: ShopProcess, postgres_server: PostgresServer) -> Shop:
    shop = Shop(process, await postgres_server(VERSION))
    for row in await shop.server.run("select datname from pg_database where datname like 'xa_shop_%'"):
        await shop.server.drop_database(row["datname"])
    await shop.start()
    return shop


async def test_script_runs_again_after_a_restart_and_votes_by_prepared_transactions(shop: Shop) -> None:
    for _ in range(2):
        user = await shop.user(110)
        assert (await shop.buy(user)).json() == CREATED
        for changed, answer in (
            ({"balance_change": -200, "warehouse_id": 100, "delivery_hour": 23}, POOR),
            ({"warehouse_id": 100, "delivery_hour": 23}, EMPTY),
            ({"delivery_hour": 23}, NOBODY),
        ):
            assert (await shop.buy(user, **changed)).json() == answer
            assert await shop.balance(user) == 100
        assert (await shop.buy(user)).json() == CREATED
        assert await shop.balance(user) == 90
        await shop.rest()
        assert await shop.process.end() == 0
        await shop.start()
    for room in ROOMS:
        [(committed,)] = await shop.rows(room, "select count(*) from xa_marks where outcome = 'committed'")
        assert committed == 4, room


async def test_of_many_buyers_of_the_last_piece_one_wins(shop: Shop) -> None:
    await shop.rows("warehouse", "update stock set on_hand = 1 where sku = 'two-phase/3'")
    users = [await shop.user(10) for _ in range(BUYERS)]
    answers = await asyncio.gather(*(shop.buy(user, warehouse_id=3) for user in users))
    counted = Counter(str(each.json() if each.status_code == 200 else each.status_code) for each in answers)
    assert counted[str(CREATED)] == 1, counted
    assert set(counted) <= {str(CREATED), str(EMPTY), "503"}
    await shop.rest()
    assert sorted([await shop.balance(user) for user in users]) == [0] + [10] * (BUYERS - 1)


async def test_killed_between_the_phases_it_leaves_nothing_half_done(shop: Shop) -> None:
    chance, seen = Random(20_340_526), 0
    users = [await shop.user(1000) for _ in range(8)]
    for _ in range(5):
        buying = [asyncio.ensure_future(shop.buy(user, warehouse_id=1 + user % 9)) for user in users]
        while not await shop.prepared() and not all(each.done() for each in buying):
            pass  # each look is a round trip
        await asyncio.wait(buying, timeout=chance.uniform(0.0, 0.01))
        await shop.process.kill()
        await asyncio.gather(*buying, return_exceptions=True)
        seen += len(await shop.prepared())
        await shop.start()
        await shop.rest()
    print("  prepared when it was killed:", seen)
    assert seen, "it was never killed between the phases"
    spent = sum([1000 - await shop.balance(user) for user in users])
    for room, sql in (
        ("billing", "select coalesce(sum(balance_minor), 0)::bigint / 1000 from accounts where id = 'revenue/xa'"),
        ("warehouse", "select sum(reserved)::bigint from stock"),
        ("delivery", "select count(*) from bookings"),
    ):
        assert (await shop.rows(room, sql))[0][0] == spent // 10, room


async def test_switch_without_postgresql_is_refused_in_one_line(process: ShopProcess) -> None:
    answer = await run("shop", "up", "--data", str(process.folder), "--xa")
    assert (answer.returncode, answer.stderr) == (
        1,
        "shop: --xa needs --postgres: only PostgreSQL has prepared transactions\n",
    )
