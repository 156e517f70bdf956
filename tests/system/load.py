"""Buyers at work on a shop that may die at any moment: what was not answered is asked again, with the same key."""

import asyncio
from collections import Counter, deque
from contextlib import suppress
from random import Random

from tests.system.intents import (
    GOLD,
    HOT,
    NARROW,
    PLUM,
    PRICES,
    RARE,
    WIDE,
    Intent,
    cancel_intent,
    deposit_intent,
    order_intent,
)
from tests.system.people import Buyer, Operator, Shop, buyers, until
from tests.system.storefront import Storefront
from tests.system.wire import LOST, Connection

BUYERS, WORKERS = 5, 12
RICH_MINOR, ALMS_MINOR = 10**9, 2_000
PLENTY = 10**6
ROUND_STOCK, ROUND_COURIERS = 15, 6
BUSY_S = 0.02
AT_THE_GATEWAY = "money at the gateway is what payments knows of"


class Load:
    """Everything that was wanted of one shop, and what is known of it. Buyer 0 is poor; all are named after `name`."""

    def __init__(self, shop: Shop, name: str = "buyer") -> None:
        self.shop = shop
        self.operator = Operator(shop)
        self.buyers: list[Buyer] = []
        self.storefront = Storefront(shop)
        self.on_hand: dict[str, int] = {}
        self.couriers: dict[str, int] = {}
        self.answered: list[Intent] = []
        self.waiting: deque[Intent] = deque()
        self.posts: Counter[str] = Counter()
        self.captured_before_minor = 0
        self.name = name
        self._count = 0
        self._over = False

    async def open(self) -> None:
        """Stock, couriers, buyers and their money."""
        self.buyers = await buyers(self.shop, BUYERS, name=self.name)
        self.captured_before_minor = (await self.operator.check())[AT_THE_GATEWAY]["captured_minor"]
        await self.supply(1)
        await self.storefront.open()
        self.waiting += [deposit_intent(each, "first", RICH_MINOR) for each in self.buyers[1:]]
        await self.drain()

    async def supply(self, round: int) -> None:
        """A little more of what is scarce; everybody signs in again."""
        self.on_hand = {PLUM: PLENTY, GOLD: PLENTY, RARE: 0, HOT: ROUND_STOCK * round}
        self.couriers = {WIDE: PLENTY, NARROW: ROUND_COURIERS * round}
        for sku, count in self.on_hand.items():
            await self.operator.put_product(sku, PRICES[sku], count)
        for slot, couriers in self.couriers.items():
            await self.operator.put_slot(slot, couriers)
        self.waiting.append(deposit_intent(self.buyers[0], f"alms {round}", ALMS_MINOR))

    async def run(self, chance: Random) -> None:
        """Goes on until the shop is gone, or the caller says that it is enough."""
        self._over = self.storefront.over = False
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work(Random(chance.random())))
            group.create_task(self.storefront.run(Random(chance.random())))

    def enough(self) -> None:
        """What was asked is still waited for."""
        self._over = self.storefront.over = True

    async def drain(self) -> None:
        """Asks again until everything is answered; the shop has to live."""
        while self.waiting:
            await asyncio.gather(*(self._drain_some() for _ in range(WORKERS)))

    async def settle(self) -> None:
        """Waits for the sagas in flight, and for those that take approved orders back: they begin a little later."""
        await self.operator.settle()
        await until(self._taken_back)
        await self.operator.settle()

    async def _taken_back(self) -> bool:
        wanted = {each.outcome for each in self.answered if each.cancel and each.cancel.outcome == each.outcome}
        orders = [order for each in self.buyers for order in await each.orders()]
        return not [each for each in orders if each["id"] in wanted and each["status"] == "approved"]

    def _connection(self) -> Connection:
        return Connection(self.shop.addresses["api"])

    async def _drain_some(self) -> None:
        connection = self._connection()
        while self.waiting:
            await self._post(connection, self.waiting.popleft())
        connection.close()

    async def _work(self, chance: Random) -> None:
        connections = [self._connection() for _ in range(3)]
        try:
            with suppress(*LOST):
                while not self._over:
                    await self._turn(connections, chance)
        finally:
            for each in connections:
                each.close()

    async def _turn(self, connections: list[Connection], chance: Random) -> None:
        """Something that has waited, an old wish again, a cancellation, or a new order; at times thrice at once."""
        roll = chance.random()
        if self.waiting and roll < 0.5:
            intent = self.waiting.popleft()
        elif self.answered and roll < 0.55:
            await self._reuse(connections[0], chance.choice(self.answered))
            return
        elif self.answered and roll < 0.63:
            intent = self._again(chance.choice(self.answered), chance)
        else:
            intent = self._new(chance)
        copies = connections if chance.random() < 0.1 else connections[:1]
        posts = [self._post(each, intent, chance.random() < 0.1) for each in copies]
        for failed in await asyncio.gather(*posts, return_exceptions=True):
            if failed is not None:
                raise failed

    def _new(self, chance: Random) -> Intent:
        self._count += 1
        at = chance.randrange(BUYERS)
        return order_intent(self.buyers[at], f"order {self._count}", chance, poor=at == 0)

    def _again(self, intent: Intent, chance: Random) -> Intent:
        if intent.placed and intent.cancel is None and chance.random() < 0.5:
            return cancel_intent(intent)
        return intent

    async def _post(self, connection: Connection, intent: Intent, wait: bool = False) -> None:
        """What gets no answer goes back to those that wait."""
        headers = {"Authorization": f"Bearer {intent.buyer.token}"}
        prefer = "wait=1" if wait else ""
        try:
            answer = await connection.ask(
                "POST", intent.path, key=intent.key, prefer=prefer, headers=headers, raw=intent.raw
            )
            self.posts[str(answer.status)] += 1
        except LOST:
            self.posts["lost"] += 1
            self.waiting.append(intent)
            raise
        known = intent.outcome
        if not intent.take(answer):
            self.waiting.append(intent)
            await asyncio.sleep(BUSY_S)
        elif not known:
            self.answered.append(intent)

    async def _reuse(self, connection: Connection, intent: Intent) -> None:
        """The key of one wish for another."""
        headers = {"Authorization": f"Bearer {intent.buyer.token}"}
        if intent.path.endswith("/cancel"):
            return
        raw = intent.raw.replace(b"}", b" }")
        answer = await connection.ask("POST", "/api/orders", key=intent.key, headers=headers, raw=raw)
        if intent.path == "/api/orders":
            assert answer.status in (429, 503) or answer.problem == "key-reused", answer
        else:
            assert answer.status in (400, 429, 503), answer
