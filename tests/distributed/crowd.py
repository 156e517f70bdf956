"""Buyers at both processes of orders who don't give up: what breaks is asked again, and everything is counted."""

import asyncio
from collections import Counter
from itertools import cycle
from random import Random
from time import monotonic

from tests.distributed.rest import at_rest
from tests.distributed.running import PATIENCE_S, RunningShop
from tests.system.intents import Intent, deposit_intent
from tests.system.load import Load
from tests.system.people import Document
from tests.system.reckoning import check_end
from tests.system.storefront import Storefront
from tests.system.wire import Connection

SIGNED_IN_S = 300.0
PAUSE_S = 0.05
PACE_S, SLOW_PACE_S = 0.2, 0.6  # slow when only old wishes are asked again: what is broken has to come back
MOST_NEW = 50
DEPOSIT_MINOR = 7
orders_of = "select id, status, reason from orders where user_id = any($1)"
wallets_of = "select id, balance_minor, held_minor from accounts where id = any($1)"
turned_back = """
select number from order_numbers join orders on orders.id = order_id
where orders.scope = 'queue-saga' and reason = 'unavailable'
"""
paid = """
select user_id, sum(total_minor)::bigint from orders
where user_id = any($1) and status = 'approved' and pay_with = 'wallet'
group by user_id
"""
told_of_deposits = """
select user_id, count(*) from notifications where user_id = any($1) and id like '%/paid-in' group by user_id
"""


class Crowd(Load):
    """A `Load` that outlives what breaks. `broken` says since when nothing can be said of it any more; no round begins
    after `until`, on the monotonic clock.
    """

    def __init__(self, shop: RunningShop) -> None:
        super().__init__(shop, "crowd")
        self.storefront = PatientStorefront(shop, "crowd")
        self.running = shop
        self.broken = ""
        self.until = float("inf")
        self._enough_new = 0
        self._apis = cycle([shop.edge(each.name).addresses["api"] for each in shop.copies])
        self._signed_in_at = monotonic()

    async def supply(self, round: int) -> None:
        if monotonic() > self._signed_in_at + SIGNED_IN_S:
            await asyncio.gather(*(each.sign_in() for each in self.buyers))
            self._signed_in_at = monotonic()
        await super().supply(round)
        self._enough_new = self._count + MOST_NEW

    async def come_to_rest(self) -> None:
        """Everything that was asked is answered, and everything that was begun has ended."""
        self.enough()
        async with asyncio.timeout(2 * PATIENCE_S):
            await self.drain()
        await at_rest(self.running)

    async def check(self) -> Counter[str]:
        """How all orders have ended. Fails where one is lost, doubled, or not as it had to be; or money is."""
        wanted = {each.outcome: each for each in self.answered if each.placed}
        assert len(wanted) == sum(each.placed for each in self.answered)
        rows = await self.running.rows("orders", orders_of, [each.id for each in self.buyers])
        assert sorted(row["id"] for row in rows) == sorted(wanted)
        ends: Counter[str] = Counter()
        for order in map(dict[str, str | None], rows):
            check_end(wanted[str(order["id"])], order)
            ends[str(order["reason"] or order["status"])] += 1
        await self._check_money()
        await self.operator.check()
        return ends

    async def _check_money(self) -> None:
        ids = [each.id for each in self.buyers]
        deposits = [each for each in self.answered if each.path.endswith("/deposits")]
        paid_in: Counter[str] = Counter()
        for each in deposits:
            paid_in[each.buyer.id] += _amount(each)
        spent = await self.running.counts("orders", paid, ids)
        held = {row["id"]: tuple(row)[1:] for row in await self.running.rows("billing", wallets_of, ids)}
        wanted = {id: (paid_in[id] - spent.get(id, 0), 0) for id in ids}
        assert held == wanted, (held, wanted)
        told = await self.running.counts("notifications", told_of_deposits, ids)
        assert told == Counter(each.buyer.id for each in deposits), told

    def _connection(self) -> Connection:
        return Connection(next(self._apis))

    async def _work(self, chance: Random) -> None:
        while not self._over:
            await super()._work(chance)
            await asyncio.sleep(PAUSE_S)

    async def _turn(self, connections: list[Connection], chance: Random) -> None:
        await super()._turn(connections, chance)
        await asyncio.sleep(PACE_S if self._count < self._enough_new else SLOW_PACE_S)

    def _new(self, chance: Random) -> Intent:
        """So many a round; then old wishes are asked again."""
        if self._count >= self._enough_new:
            return chance.choice(self.answered)
        if chance.random() < 0.05:
            self._count += 1
            return deposit_intent(chance.choice(self.buyers), f"more {self._count}", DEPOSIT_MINOR)
        return super()._new(chance)


class PatientStorefront(Storefront):
    def __init__(self, shop: RunningShop, login: str) -> None:
        super().__init__(shop, login)
        self._running = shop

    async def run(self, chance: Random) -> None:
        while not self.over:
            await super().run(chance)
            await asyncio.sleep(PAUSE_S)

    async def _too_late(self) -> set[int]:
        return {row["number"] for row in await self._running.rows("orders", turned_back)}


def _amount(deposit: Intent) -> int:
    body: Document = deposit.body or {}
    return int(body["amount_minor"])
