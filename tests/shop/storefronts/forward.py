"""After the pivot only forward, in the other dialects that have one: its answer is lost until long after the deadline.

`idempotent-orders` has no pivot, that of `two-phase` is the decision in the log.
"""

from pathlib import Path

from amends.messages import Envelope, Kind
from amends.testing.runtime import VirtualRuntime
from tests.shop.desks import HERE
from tests.shop.storefronts import conftest as queue
from tests.shop.storefronts.hazards import check, furnish
from tests.shop.storefronts.parallel_saga import conftest as parallel

UNDONE = "undone after its pivot"
LONG_S = 90.0


def nothing(_: Envelope) -> bool:
    return False


async def queue_saga_goes_forward(folder: Path) -> None:
    async with queue.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        await furnish(shop)
        shop.transport.matches = lambda message: message.kind is Kind.REPLY and message.step == "capture money"
        assert (await shop.post("/orders/", **queue.wanted("ann"))).status_code == 200
        await shop.runtime.advance(LONG_S, leap_s=0.5)
        _, stock, booked = await shop.state("ann")
        assert (stock[0]["quantity"], len(booked)) == (99, 1), UNDONE
        shop.transport.matches = nothing
        await shop.runtime.advance(LONG_S, leap_s=0.5)
        assert (await shop.answer("/orders/last"))["status"] == "Delivery Succes"
        await check(shop)


async def parallel_saga_goes_forward(folder: Path) -> None:
    async with parallel.opened(folder, VirtualRuntime(seed=1), HERE) as shop:
        shop.transport.matches = lambda message: message.kind is Kind.REPLY and message.step == "capture payment"
        await shop.place_in_time()
        await shop.runtime.advance(LONG_S, leap_s=0.5)
        assert len(await shop.rows("warehouse", "select order_id from reservations")) == 1, UNDONE
        shop.transport.matches = nothing
        await shop.runtime.advance(LONG_S, leap_s=0.5)
        assert await shop.rows("orders", "select status from orders") == [("approved",)]
        assert await shop.broken() == []


SCENARIOS = [queue_saga_goes_forward, parallel_saga_goes_forward]
