"""A shop whose process was frozen and wakes up when another one has taken over takes no order, in these dialects."""

from collections.abc import Mapping
from pathlib import Path

from amends.service import Service
from amends.testing.runtime import EPOCH, VirtualRuntime
from tests.shop.desks import HERE
from tests.shop.storefronts.parallel_saga import conftest as parallel
from tests.shop.storefronts.pivot_saga import conftest as pivot

LATER = EPOCH + 5.0


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


SCENARIOS = [replaced_parallel_saga_takes_no_order, replaced_pivot_saga_takes_no_order]
