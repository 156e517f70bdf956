"""Clients of the five dialects who place orders until the shop is gone, and look afterwards at what they were told."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any, Protocol

import httpx

from tests.shop.storefronts.idempotent_orders import conftest as idempotent
from tests.shop.storefronts.parallel_saga import conftest as parallel
from tests.shop.storefronts.pivot_saga import conftest as pivot
from tests.shop.storefronts.two_phase import conftest as two_phase
from tests.system.dialects import client_of, rows_of
from tests.system.people import Document
from tests.system.shop_process import ShopProcess
from tests.system.storefront import Storefront

PRICE = 200  # of an order that is placed with a key
MONEY = 1_000_000
ITEM = 77
BUSY_S = 0.02
AT_ONCE = 4
_nobody: Any = None


class Load(Protocol):
    """`acknowledged` counts the orders that were answered with success."""

    @property
    def acknowledged(self) -> int: ...

    async def open(self) -> None:
        """Before it all: who buys, and of what."""

    async def run(self) -> None:
        """Until the shop is gone."""

    async def reckon(self) -> None:
        """After the next start, when all is at rest: everything acknowledged has ended, and once."""


class QueueSaga(Storefront):
    """Told at once that the order is taken."""

    def __init__(self, shop: ShopProcess) -> None:
        super().__init__(shop, "eve")
        self._folder = shop.folder

    @property
    def acknowledged(self) -> int:
        return len(self.good)

    async def run(self, chance: Random = Random(7)) -> None:  # noqa: B008 - drawn from by one run only
        await super().run(chance)

    async def _too_late(self) -> set[int]:
        late = await self.ended()
        return {number for number, reason in late.items() if reason == "unavailable"}

    async def ended(self) -> dict[int, str | None]:
        """Why each was refused; every one that was acknowledged is there and has ended."""
        sql = "select number, status, reason from order_numbers join orders on id = order_id"
        rows = rows_of(self._folder, "orders", f"{sql} where order_numbers.scope = 'queue-saga'")
        assert "pending" not in {status for _, status, _ in rows}
        found = {number: reason for number, _, reason in rows}
        assert self.good | self.bad <= set(found)
        return found


class Over:
    """Several at once over HTTP, each of whom asks one thing after the other."""

    edge = ""

    def __init__(self, shop: ShopProcess) -> None:
        self.shop = shop
        self.asked = 0

    async def run(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            await asyncio.gather(*(self._ask_on(client) for _ in range(AT_ONCE)))

    async def _ask_on(self, client: httpx.AsyncClient) -> None:
        with suppress(httpx.TransportError):
            while True:
                self.asked += 1
                await self.ask(client, self.asked)

    async def ask(self, client: httpx.AsyncClient, nth: int) -> None:
        raise NotImplementedError


class ParallelSaga(Over):
    """Told when it has ended, with its parts."""

    edge = "parallel-saga"

    def __init__(self, shop: ShopProcess) -> None:
        super().__init__(shop)
        self.parts: list[tuple[str, Document]] = []

    @property
    def acknowledged(self) -> int:
        return len(self.parts) // 4

    async def open(self) -> None: ...

    async def ask(self, client: httpx.AsyncClient, nth: int) -> None:
        body = {"contents": [parallel.PHONE], "timeDelivery": parallel.NEXT_YEAR}
        answer = await client.post("/order/order/saga", json=body)
        assert answer.status_code == 200, answer.text
        order, payment, delivery, [item] = answer.json()
        self.parts += zip(("order", "payment", "delivery", "warehouse"), (order, payment, delivery, item), strict=True)

    async def reckon(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            for path, part in self.parts:
                assert (await client.get(f"/{path}/{path}/{part['id']}")).json() == part


class PivotSaga(Over):
    """Told at once that the order is registered."""

    edge = "pivot-saga"

    def __init__(self, shop: ShopProcess) -> None:
        super().__init__(shop)
        self.numbers: list[int] = []

    @property
    def acknowledged(self) -> int:
        return len(self.numbers)

    async def open(self) -> None: ...

    async def ask(self, client: httpx.AsyncClient, nth: int) -> None:
        items = [{"item_id": ITEM, "quantity": 1, "price": 45}]
        answer = await client.post("/neworder", json=pivot.ORDER | {"items": items})
        if answer.status_code == 200:
            self.numbers.append(answer.json()["order_id"])
        else:
            assert answer.status_code == 503, answer.text
        await asyncio.sleep(BUSY_S)

    async def reckon(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            ends = [(await client.get(f"/order/{number}")).json()["status"] for number in self.numbers]
        assert set(ends) <= {pivot.OK, pivot.NOT_OK}
        sql = f"select coalesce(sum(quantity), 0) from reservations where sku = 'pivot-saga/{ITEM}'"
        [(reserved,)] = rows_of(self.shop.folder, "warehouse", sql)
        assert ends.count(pivot.OK) <= reserved <= self.asked - ends.count(pivot.NOT_OK)


class IdempotentOrders(Over):
    """Told when it has ended. What wasn't answered is asked again with its key."""

    edge = "idempotent-orders"

    def __init__(self, shop: ShopProcess) -> None:
        super().__init__(shop)
        self.orders: dict[str, Document] = {}
        self._user = idempotent.Client(_nobody)

    @property
    def acknowledged(self) -> int:
        return len(self.orders)

    async def open(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            self._user = await idempotent.Client(client).join("eve@example.org")
            assert (await self._user.transact("charge", MONEY)).status_code == 201

    async def ask(self, client: httpx.AsyncClient, nth: int) -> None:
        answer = await self._at(client).order(f"k{nth}")
        assert answer.status_code == 201, answer.text
        self.orders[f"k{nth}"] = answer.json()

    async def reckon(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            user = self._at(client)
            ends = [await self._again(user, f"k{nth + 1}") for nth in range(self.asked)]
            assert set(ends) <= {"complete", "cancelled"}
            assert await user.balance() == MONEY - PRICE * ends.count("complete")

    async def _again(self, user: idempotent.Client, key: str) -> str:
        answer = await user.order(key)
        assert answer.status_code == 201, answer.text
        order: Document = answer.json()
        assert self.orders.get(key, order) == order
        return str(order["status"])

    def _at(self, client: httpx.AsyncClient) -> idempotent.Client:
        return idempotent.Client(client, self._user.token, self._user.id)


class TwoPhase(Over):
    """Told when it has ended. The balance says what was committed."""

    edge = "two-phase"

    def __init__(self, shop: ShopProcess) -> None:
        super().__init__(shop)
        self.acknowledged = 0
        self._user = 0

    async def open(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            answer = await client.post("/user", json={"name": "eve", "balance": MONEY})
            self._user = answer.json()["id"]

    async def ask(self, client: httpx.AsyncClient, nth: int) -> None:
        answer = await client.post(f"/buy/user/{self._user}", json=two_phase.wanted(delivery_hour=nth % 18))
        assert (answer.status_code, answer.json()) == (200, two_phase.CREATED)
        self.acknowledged += 1

    async def reckon(self) -> None:
        async with client_of(self.shop, self.edge) as client:
            balance = (await client.get(f"/user/{self._user}")).json()["balance"]
        committed, rest = divmod(MONEY - balance, 10)
        assert rest == 0
        assert self.acknowledged <= committed <= self.asked
        for room in ("warehouse", "delivery"):
            assert rows_of(self.shop.folder, room, "select order_id from held_orders") == []


def loads(shop: ShopProcess) -> Sequence[Load]:
    """One a dialect."""
    return QueueSaga(shop), ParallelSaga(shop), PivotSaga(shop), IdempotentOrders(shop), TwoPhase(shop)
