"""Whole orders, called in process: 500 buyers at a time submit to the orders room until all have been placed.

The clock runs from the first submit to the end of the last saga. It is the whole shop, wired as `shop up` wires it, on
SQLite files with `synchronous=FULL`; only nobody comes through HTTP.

    python -m bench.inprocess < plan.json > outcome.json
"""

import asyncio
import contextlib
import gc
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import msgspec
import uvloop

from amends.errors import Overloaded
from amends.intake import MOST
from amends.messages import SagaId
from amends.pages import Instance, KeyScope
from amends.service import Service
from amends.state import ENDED
from bench import stock
from bench.child import folder
from bench.figures import percentile
from shop.orders.placing import OrderIntake, Placed, Placing
from shop.settings import PORTS, Settings
from shop.wiring import Shop


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`refused` is the share of orders that can't be: half of them out of stock, half without money.

    `items` 1 means a hot item. `data` is a folder that holds a shop already; empty: a new one, removed afterwards.
    """

    orders: int
    buyers: int = 2 * MOST
    items: int = stock.ITEMS
    refused: float = 0.0
    data: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`per_s` counts orders that came to their end, approved or rejected. Latency: from submit to the saga's end."""

    per_s: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    ended: dict[str, int]
    rss_mb: float


class Ends:
    """Notes when each saga ends."""

    def __init__(self, service: Service, expected: int) -> None:
        assert service.coordinator is not None
        service.coordinator.watch.every(self._moved)
        self.at: dict[SagaId, float] = {}
        self.statuses: Counter[str] = Counter()
        self.all = asyncio.Event()
        self._expected = expected

    def _moved(self, moved: Sequence[Instance]) -> None:
        now = time.perf_counter()
        for instance in moved:
            if instance.state.status in ENDED:
                self.at[instance.id] = now
                self.statuses[instance.state.status.value] += 1
        if len(self.at) >= self._expected:
            self.all.set()


async def measure(plan: Plan) -> Outcome:
    with contextlib.ExitStack() as stack:
        data = Path(plan.data) if plan.data else stack.enter_context(folder())
        async with opened(data) as orders:
            return await place(orders, plan)


@contextlib.asynccontextmanager
async def opened(data: Path, dsn: str = "") -> AsyncIterator[Service]:
    """The whole shop on a data folder, or with its databases on a server, stocked; gives the orders room."""
    home = Shop(Settings(data, ports=tuple((name, 0) for name in PORTS), postgres=dsn))
    await home.start()
    try:
        await stock.fill(home.services, home.runtime.now())
        yield home.services["orders"]
    finally:
        await home.stop()


async def place(orders: Service, plan: Plan) -> Outcome:
    """Places all orders of the plan and waits until they have ended."""
    intake, ends = OrderIntake(orders), Ends(orders, plan.orders)
    intake.start("intake")
    began: dict[str, float] = {}
    placings = _placings(plan, orders)

    async def buy() -> None:
        for placing in placings:
            at = time.perf_counter()
            placed = await intake.submit(placing)
            while isinstance(placed, Overloaded):
                await asyncio.sleep(placed.retry_after_s)
                at = time.perf_counter()
                placed = await intake.submit(placing)
            assert isinstance(placed, Placed), placed
            began[placed.order_id] = at

    gc.collect()
    start, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*[buy() for _ in range(plan.buyers)])
    await ends.all.wait()
    took_s, cpu_s = max(ends.at.values()) - start, time.process_time() - cpu
    await intake.stop()
    latencies = sorted(ends.at[SagaId(id)] - at for id, at in began.items())
    return _outcome(plan, took_s, cpu_s, latencies, ends)


def _outcome(plan: Plan, took_s: float, cpu_s: float, latencies: list[float], ends: Ends) -> Outcome:
    return Outcome(
        per_s=plan.orders / took_s,
        cpu_us=cpu_s / plan.orders * 1e6,
        p50_ms=percentile(latencies, 0.5) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
        ended=dict(ends.statuses),
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _placings(plan: Plan, orders: Service) -> Iterator[Placing]:
    """With random keys, as clients make them."""
    new_id = orders.runtime.new_id
    return (_placing(plan, nth, new_id(), os.urandom(16)) for nth in range(plan.orders))


def _placing(plan: Plan, nth: int, order_id: str, key: bytes) -> Placing:
    refused = stock.is_refused(nth, plan.refused)
    no_money, no_stock = refused and nth % 2 == 0, refused and nth % 2 == 1
    user = stock.POOR if no_money else stock.user(nth % stock.USERS)
    sku = stock.SOLD_OUT if no_stock else stock.sku(nth % plan.items)
    return Placing(
        key=KeyScope(user, "POST", "/api/orders", key.hex()),
        fingerprint=key + key,
        scope="shop",
        user_id=user,
        email=f"{user}@example.com",
        wallet_id=user,
        items=((sku, 1),),
        calendar="shop",
        slot=stock.slot(nth % stock.SLOTS),
        pay_with="wallet",
        card="",
        order_id=order_id,
    )


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(measure(plan))))


if __name__ == "__main__":
    main()
