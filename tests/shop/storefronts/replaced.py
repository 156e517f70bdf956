"""A shop whose process was frozen and wakes up when another one has taken over takes no order, in these dialects."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from amends.service import Service
from amends.testing.runtime import EPOCH, VirtualRuntime
from tests.shop.desks import HERE
from tests.shop.storefronts.idempotent_orders import conftest as idempotent
from tests.shop.storefronts.parallel_saga import conftest as parallel
from tests.shop.storefronts.pivot_saga import conftest as pivot
from tests.shop.storefronts.two_phase import conftest as two_phase

LATER = EPOCH + 5.0
PATIENCE_S = 20.0


async def in_time(runtime: VirtualRuntime, asked: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
    """The answer, for which the zombie has some time."""
    answer = asyncio.ensure_future(asked)
    end = runtime.now() + PATIENCE_S
    while not answer.done() and runtime.now() < end:
        await runtime.advance(0.5)
    assert answer.done(), "a replaced shop does not answer"
    return answer.result()


async def has_no_order(services: Mapping[str, Service]) -> None:
    async with services["orders"].storage.reading() as reader:
        orders = await reader.fetch("select id from orders")
    assert orders == [], "a replaced shop has taken an order"


async def replaced_parallel_saga_takes_no_order(folder: Path) -> None:
    async with (
        parallel.opened(folder, VirtualRuntime(seed=1), HERE) as zombie,
        parallel.opened(folder, VirtualRuntime(seed=2, now=LATER), HERE) as successor,
    ):
        answer = await zombie.place_in_time()
        await has_no_order(successor.services)
        assert answer.status_code >= 500, answer.text
        assert (await successor.place_in_time()).status_code == 200


async def replaced_pivot_saga_takes_no_order(folder: Path) -> None:
    async with (
        pivot.opened(folder, VirtualRuntime(seed=1)) as zombie,
        pivot.opened(folder, VirtualRuntime(seed=2, now=LATER)) as successor,
    ):
        answer = await zombie.place()
        await has_no_order(successor.services)
        assert answer.status_code >= 500, answer.text
        assert (await successor.order())["status"] == pivot.OK


async def replaced_idempotent_orders_takes_no_order(folder: Path) -> None:
    async with idempotent.opened(folder, VirtualRuntime(seed=1), HERE) as zombie:
        ann = await zombie.guest.join()
        assert (await ann.transact("charge", 1_000)).status_code == 201
        async with idempotent.opened(folder, VirtualRuntime(seed=2, now=LATER), HERE) as successor:
            answer = await in_time(zombie.runtime, ann.order("k"))
            await has_no_order(successor.services)
            assert answer.status_code >= 500, answer.text
            again = await in_time(successor.runtime, replace(ann, http=successor.guest.http).order("k"))
            assert again.json()["status"] == "complete", again.text


async def replaced_two_phase_takes_no_order(folder: Path) -> None:
    async with two_phase.opened(folder, VirtualRuntime(seed=1), HERE) as zombie:
        user = await zombie.user(110)
        async with two_phase.opened(folder, VirtualRuntime(seed=2, now=LATER), HERE) as successor:
            answer = await in_time(zombie.runtime, zombie.ask(user))
            await has_no_order(successor.services)
            assert answer.status_code >= 500, answer.text
            assert await successor.buy(user) == two_phase.CREATED
            assert await successor.balance(user) == 100


SCENARIOS = [
    replaced_parallel_saga_takes_no_order,
    replaced_pivot_saga_takes_no_order,
    replaced_idempotent_orders_takes_no_order,
    replaced_two_phase_takes_no_order,
]
