"""The clients' script of every dialect against one real shop: twice, a kill in the middle of it all, twice again."""

import asyncio
from collections.abc import Sequence

import pytest

from shop.orders.idempotent_saga import place_once
from shop.orders.parallel_saga import place_in_parallel
from shop.orders.pivot_saga import place_with_pivot
from shop.orders.sagas import place_order
from shop.orders.two_phase_saga import buy_two_phase
from tests.system.dialect_loads import Load, loads
from tests.system.dialects import rows_of, run_scripts
from tests.system.people import MOVING, Operator, until
from tests.system.shop_process import ShopProcess, check_from_outside

OPTIONS = ("--ports", "auto", "--quiet", "--faults")
SAGAS = {saga.name for saga in (place_order, place_in_parallel, place_with_pivot, place_once, buy_two_phase)}
SCOPES = {"queue-saga", "parallel-saga", "pivot-saga", "idempotent-orders", "two-phase"}
SLOW = {"slow_ms": 100}
AT_LEAST = 5

pytestmark = [pytest.mark.crash, pytest.mark.timeout(600)]


async def test_scripts_of_all_dialects_pass_twice_and_twice_again_after_a_kill(process: ShopProcess) -> None:
    await process.start(*OPTIONS)
    for nth in (0, 1):
        await run_scripts(process, nth)
    placing = loads(process)
    await under_way(process, placing)
    await process.start(*OPTIONS)
    await Operator(process).settle()
    for load in placing:
        await load.reckon()
    for nth in (2, 3):
        await run_scripts(process, nth)
    assert {scope for (scope,) in rows_of(process.folder, "orders", "select distinct scope from orders")} >= SCOPES
    await check_from_outside(process)
    assert await process.end() == 0
    await check_from_outside(process)


async def under_way(process: ShopProcess, placing: Sequence[Load]) -> None:
    """Kills the shop while sagas of every dialect are in flight, after each has acknowledged orders."""
    for load in placing:
        await load.open()
    await slow_down(process)
    tasks = [asyncio.create_task(load.run()) for load in placing]

    async def all_in_flight() -> bool:
        early = [load for load in placing if load.acknowledged < AT_LEAST]
        return not early and await in_flight(process) >= SAGAS

    await until(all_in_flight)
    await process.kill()
    await asyncio.gather(*tasks)
    print({type(load).__name__: load.acknowledged for load in placing})


async def slow_down(process: ShopProcess) -> None:
    """Every step takes a while, so that the kill finds orders on their way."""
    operator = Operator(process)
    for room in ("billing", "warehouse", "delivery", "payments"):
        answer = await operator.ask("PUT", f"/ops/faults/{room}", SLOW)
        assert answer.status == 200, answer


async def in_flight(process: ShopProcess) -> set[str]:
    return {each["name"] for state in MOVING for each in await Operator(process).sagas(state)}
