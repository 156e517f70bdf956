"""The clients of the five dialects outside the shop: their scripts of `tests/shop/storefronts`, asked over HTTP."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import httpx

from shop.desks import ROOMS
from tests.shop.storefronts import conftest as queue
from tests.shop.storefronts import test_queue_saga_script as queue_script
from tests.shop.storefronts.idempotent_orders import conftest as idempotent
from tests.shop.storefronts.idempotent_orders import test_script as idempotent_script
from tests.shop.storefronts.parallel_saga import conftest as parallel
from tests.shop.storefronts.parallel_saga import test_script as parallel_script
from tests.shop.storefronts.pivot_saga import conftest as pivot
from tests.shop.storefronts.pivot_saga import test_script as pivot_script
from tests.shop.storefronts.two_phase import conftest as two_phase
from tests.shop.storefronts.two_phase import test_script as two_phase_script
from tests.system.people import Operator, until
from tests.system.shop_process import ShopProcess

ANSWER_S = 60.0
PIVOT_EDGES = ("pivot-saga", *(f"pivot-saga/{service}" for service in pivot.SERVICES))
Row = tuple[Any, ...]
_absent: Any = None  # what scripts don't touch: rooms, services and the wire of a shop that is another process


def rows_of(folder: Path, room: str, sql: str) -> list[Row]:
    """Read beside the running shop."""
    connection = apsw.Connection(str(folder / f"{room}.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


class Passing:
    """Time that passes by itself: who waits, waits until every saga that was begun has ended."""

    def __init__(self, shop: ShopProcess) -> None:
        self._shop = shop

    async def settle(self) -> None:
        await Operator(self._shop).settle()

    async def advance(self, seconds: float) -> None:
        await self.settle()


class Telling(Passing):
    """Who waits, waits until everybody has heard of it, too."""

    async def advance(self, seconds: float) -> None:
        await super().advance(seconds)
        await until(self._all_told)

    async def _all_told(self) -> bool:
        counts = [rows_of(self._shop.folder, room, "select count(*) from outbox") for room in ROOMS]
        return all(count == [(0,)] for count in counts)


class ParallelShop(parallel.Shop):
    folder: Path

    async def rows(self, room: str, sql: str) -> list[Row]:
        return rows_of(self.folder, room, sql)


class PivotShop(pivot.Shop):
    folder: Path
    operator: Operator

    async def rows(self, room: str, sql: str) -> list[Row]:
        return rows_of(self.folder, room, sql)

    async def stock(self) -> dict[str, int]:
        """Without what other dialects have reserved."""
        return {
            sku: count for sku, count in (await super().stock()).items() if sku in ("pivot-saga/10", "pivot-saga/15")
        }

    async def broken(self) -> list[str]:
        await self.operator.check()
        return []


class TwoPhaseShop(two_phase.Shop):
    folder: Path

    async def _rows(self, room: str, sql: str) -> list[Row]:
        return rows_of(self.folder, room, sql)


@asynccontextmanager
async def client_of(shop: ShopProcess, edge: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=100)
    address = shop.addresses[edge]
    async with httpx.AsyncClient(base_url=address, timeout=ANSWER_S, trust_env=False, limits=limits) as client:
        yield client


async def queue_saga(shop: ShopProcess, nth: int) -> None:
    """Another time at each run: its one courier is taken."""
    time: Any = Passing(shop)
    async with client_of(shop, "queue-saga") as client:
        asked = queue.Shop(client, time, _absent, _absent, _absent)
        assert await queue_script.run_script(asked, f"2025-01-08 {10 + nth}:00:00") == queue_script.ENDS


async def parallel_saga(shop: ShopProcess, nth: int) -> None:
    time: Any = Telling(shop)
    async with client_of(shop, "parallel-saga") as client:
        asked = ParallelShop(client, time, _absent, _absent, _absent, _absent)
        asked.folder = shop.folder
        await parallel_script.run_script(asked)


async def pivot_saga(shop: ShopProcess, nth: int) -> None:
    time: Any = Passing(shop)
    async with AsyncExitStack() as stack:
        clients = {name: await stack.enter_async_context(client_of(shop, name)) for name in PIVOT_EDGES}
        asked = PivotShop(clients, time, _absent, _absent, _absent, _absent, _absent)
        asked.folder, asked.operator = shop.folder, Operator(shop)
        numbers = await pivot_script.run_script(asked)
        assert numbers == list(range(numbers[0], numbers[0] + 4))


async def idempotent_orders(shop: ShopProcess, nth: int) -> None:
    """Another user at each run: the e-mail is taken."""
    time: Any = Passing(shop)
    async with client_of(shop, "idempotent-orders") as client:
        asked = idempotent.Shop(idempotent.Client(client), time, _absent, _absent, _absent)
        await idempotent_script.run_script(asked, f"ann{nth}@example.org")


async def two_phase_commit(shop: ShopProcess, nth: int) -> None:
    time: Any = Passing(shop)
    async with client_of(shop, "two-phase") as client:
        asked = TwoPhaseShop(client, time, _absent, _absent, _absent)
        asked.folder = shop.folder
        await two_phase_script.run_script(asked)


SCRIPTS = (queue_saga, parallel_saga, pivot_saga, idempotent_orders, two_phase_commit)


async def run_scripts(shop: ShopProcess, nth: int) -> None:
    """One dialect after the other; each looks at what it leaves."""
    for script in SCRIPTS:
        await script(shop, nth)
