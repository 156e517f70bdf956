"""`shop serve --xa`: purchases whose votes are prepared transactions, by processes that are killed between the phases.

The shop is one of this module's own, without proxies and Debezium.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import NamedTuple

import asyncpg
import httpx
import pytest
import pytest_asyncio

from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.xa.gids import saga_of
from amends.decisions import Fate, Log, LoggedDecisions
from amends.messages import SagaId
from shop.app import app
from shop.orders.definitions import ALL
from tests.distributed.rest import prepared, troubles, unrest
from tests.distributed.running import RunningShop, eventually
from tests.distributed.test_two_phase import balance, buy, joined, script
from tests.servers import require
from tests.system.people import Operator
from tests.system.shop_process import run
from tools.distributed import Distributed, Options
from tools.servers import missing_for_kafka, missing_for_postgres
from tools.servers.postgres import programs

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

VOTERS = ("billing", "warehouse", "delivery")
SESSION_S = 1.5
SEED, ROUNDS, BUYERS = 20_340_526, 2, 6

marks = "select outcome, count(*) from xa_marks group by outcome"
revenue = "select balance_minor from accounts where id = 'revenue/xa'"
sold = "select coalesce(sum(reserved), 0)::bigint from stock"
booked = "select count(*) from bookings"


class Sold(NamedTuple):
    """What the voters have committed: money, pieces, couriers."""

    money: int
    pieces: int
    couriers: int


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningShop]:
    require(missing_for_kafka() or missing_for_postgres(max(programs(), default=18)))
    options = Options(cdc=False, session_s=SESSION_S, xa=True)
    async with Distributed(tmp_path_factory.mktemp("distributed_xa"), options) as servers:
        running = RunningShop(servers)
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def client(shop: RunningShop) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=shop.addresses["two-phase"], timeout=60.0) as client:
        yield client


async def gids(shop: RunningShop) -> list[str]:
    return [row["gid"] for row in await shop.rows("postgres", prepared)]


async def holders(shop: RunningShop) -> set[str]:
    """The rooms in which something is prepared."""
    return {gid.split(":")[1] for gid in await gids(shop)}


async def prepared_by(shop: RunningShop, *rooms: str) -> SagaId:
    """The saga for which exactly these rooms have prepared something, as soon as they have."""

    async def are_there() -> bool:
        return await holders(shop) == {*rooms}

    await eventually(are_there, what=f"prepared by {rooms}")
    [saga] = {saga_of(gid.split(":")[1], gid) for gid in await gids(shop)}
    return saga


async def fate(shop: RunningShop, saga: SagaId) -> Fate:
    """As the log of orders has it."""
    storage = PostgresStorage(shop.servers.postgres.dsn("orders"), app.databases["orders"], name="orders")
    try:
        return (await LoggedDecisions(Log(storage, ALL))([saga]))[saga]
    finally:
        await storage.close()


async def sales(shop: RunningShop) -> Sold:
    money = await shop.value("billing", revenue)
    return Sold(money // 1000, await shop.value("warehouse", sold), await shop.value("delivery", booked))


@asynccontextmanager
async def delivery_held_up(shop: RunningShop) -> AsyncIterator[None]:
    """Its votes wait: somebody else has locked the table."""
    connection = await asyncpg.connect(shop.servers.postgres.dsn("delivery"))
    try:
        async with connection.transaction():
            await connection.execute("lock table bookings in exclusive mode")
            yield
    finally:
        await connection.close()


async def rest(shop: RunningShop, operator: Operator) -> None:
    """Every saga has ended, nothing is prepared, nothing needs a person, everything adds up."""

    async def is_so() -> bool:
        return not await unrest(shop) and not await gids(shop)

    await eventually(is_so)
    assert not await troubles(shop)
    await operator.check()
    answer = await run("amends", "check", "--dsn", shop.servers.dsn, "--app", "shop.app:app")
    assert answer.returncode == 0, answer.stdout + answer.stderr


async def test_clients_script_is_voted_on_by_prepared_transactions(
    shop: RunningShop, operator: Operator, client: httpx.AsyncClient
) -> None:
    await script(client)
    await rest(shop, operator)
    assert {room: (await shop.counts(room, marks))["committed"] for room in VOTERS} == dict.fromkeys(VOTERS, 2)


async def test_without_a_decision_it_is_rolled_back_by_who_starts_again(
    shop: RunningShop, operator: Operator, client: httpx.AsyncClient
) -> None:
    """Coordinator and a voter are killed with two of three votes given; the third is never given."""
    user, before = await joined(client, 110), await sales(shop)
    async with delivery_held_up(shop):
        buying = asyncio.ensure_future(buy(client, user))
        saga = await prepared_by(shop, "billing", "warehouse")
        await asyncio.gather(shop.services["orders"].kill(), shop.services["warehouse"].kill())
        assert await holders(shop) == {"billing", "warehouse"}
        assert await fate(shop, saga) is Fate.UNDECIDED
        await asyncio.gather(shop.services["orders"].start(), shop.services["warehouse"].start())

        async def is_rolled_back() -> bool:
            return not await gids(shop)

        await eventually(is_rolled_back)
        assert await fate(shop, saga) is Fate.ABORT
    await asyncio.gather(buying, return_exceptions=True)
    await rest(shop, operator)
    assert (await balance(client, user), await sales(shop)) == (110, before)
    assert (await shop.order(saga))["status"] == "rejected"


async def test_decision_that_is_logged_is_carried_out_by_who_starts_again(
    shop: RunningShop, operator: Operator, client: httpx.AsyncClient
) -> None:
    """The warehouse is killed with its vote given, coordinator and billing once all is decided."""
    user, before = await joined(client, 110), await sales(shop)
    async with delivery_held_up(shop):
        buying = asyncio.ensure_future(buy(client, user))
        saga = await prepared_by(shop, "billing", "warehouse")
        await shop.services["warehouse"].kill()

    async def is_decided() -> bool:
        return await fate(shop, saga) is Fate.COMMIT

    await eventually(is_decided)
    await asyncio.gather(shop.services["orders"].kill(), shop.services["billing"].kill())
    assert {"billing", "warehouse"} <= await holders(shop)
    assert (await sales(shop))[:2] == before[:2]
    await asyncio.gather(*(shop.services[room].start() for room in ("orders", "warehouse", "billing")))
    await asyncio.gather(buying, return_exceptions=True)
    await rest(shop, operator)
    assert await balance(client, user) == 100
    assert await sales(shop) == (before.money + 1, before.pieces + 1, before.couriers + 1)
    assert (await shop.order(saga))["status"] == "approved"


async def test_killed_at_any_moment_all_have_done_the_same(
    shop: RunningShop, operator: Operator, client: httpx.AsyncClient
) -> None:
    chance, seen = Random(SEED), set[str]()
    users, before = [await joined(client, 1000) for _ in range(BUYERS)], await sales(shop)
    for _ in range(ROUNDS):
        buying = [asyncio.ensure_future(buy(client, user, warehouse_id=1 + user % 9)) for user in users]
        while not await holders(shop):
            pass  # each look is a round trip
        await asyncio.wait(buying, timeout=chance.uniform(0.0, 0.1))
        victims = [shop.services[name] for name in ("orders", chance.choice(VOTERS))]
        await asyncio.gather(*(each.kill() for each in victims))
        seen |= await holders(shop)
        await asyncio.gather(*(each.start() for each in victims))
        await asyncio.gather(*buying, return_exceptions=True)
    await rest(shop, operator)
    assert seen, "nobody was ever killed between the phases"
    spent = sum([1000 - await balance(client, user) for user in users]) // 10
    assert await sales(shop) == (before.money + spent, before.pieces + spent, before.couriers + spent)
