"""A client of the storefront `queue-saga` under load: it has no keys, so what wasn't answered may have happened."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.system.people import Document, Shop
from tests.system.wire import LOST, Connection, ask_once

MONEY, STOCK = 1_000_000, 1_000_000
BUSY_S = 0.02
SUCCESS = "Delivery Succes"
_FIRST = datetime(2034, 1, 1)  # noqa: DTZ001 - the dialect's times have no zone


class Storefront:
    """Orders one piece for 1 each; some ask for too much money, too many pieces, or a time that is taken."""

    def __init__(self, shop: Shop, login: str = "ann") -> None:
        self.good: set[int] = set()
        self.bad: set[int] = set()
        self.over = False
        self._shop = shop
        self._login = login
        self._times = 0
        self._product = 0
        self._before: set[int] = set()

    async def open(self) -> None:
        self._before = {each["id_order"] for each in await self._ask("GET", "/delivery")}
        await self._ask("POST", f"/billing/register?login={self._login}")
        await self._ask("POST", "/billing/refill", {"login": self._login, "balance": MONEY})
        product = await self._ask("POST", "/stock/register", {"description": "pear", "quantity": STOCK})
        self._product = product["id"]
        taken = self._order(self._next_time())
        self.good.add((await self._ask("POST", "/orders/", taken))["id"])

    async def run(self, chance: Random) -> None:
        """Until the shop is gone, or it is over."""
        connection = Connection(self._shop.addresses["queue-saga"])
        with suppress(*LOST):
            while not self.over:
                await self._turn(connection, chance)
        connection.close()

    async def reckon(self) -> None:
        """What was booked was paid and taken from stock, once; what was acknowledged came out as it had to."""
        listed: list[Document] = await self._ask("GET", "/delivery")
        bookings = [each for each in listed if each["id_order"] not in self._before]
        booked = [each["id_order"] for each in bookings]
        assert len(booked) == len(set(booked)) == len({each["dtime"] for each in bookings})
        assert self.bad & set(booked) == set()
        assert self.good - set(booked) <= await self._too_late()
        assert (await self._ask("GET", f"/billing/account/{self._login}"))["balance"] == MONEY - len(booked)
        [product] = [each for each in await self._ask("GET", "/stock") if each["id"] == self._product]
        assert product["quantity"] == STOCK - len(booked)

    async def _too_late(self) -> set[int]:
        """Orders that may have been turned back because a room was away for longer than a step's patience."""
        return set()

    async def _turn(self, connection: Connection, chance: Random) -> None:
        ill: Document = chance.choice([{"amount": 10_000_000}, {"quntity": STOCK}, {"dtime": self._time(1)}])
        wish: Document = ill if chance.random() < 0.3 else {}
        order = self._order(self._next_time()) | wish
        answer = await connection.ask("POST", "/orders/", order)
        if answer.status == 200:
            (self.bad if wish else self.good).add(answer.json()["id"])
        else:
            assert answer.status in (429, 503), answer
            await asyncio.sleep(BUSY_S)

    def _order(self, dtime: str) -> Document:
        pear = {"id_product": self._product, "quntity": 1, "amount": 1}
        return {"login": self._login, "e_mail": "ann@shop.example", "dtime": dtime} | pear

    def _next_time(self) -> str:
        self._times += 1
        return self._time(self._times)

    def _time(self, number: int) -> str:
        return (_FIRST + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S")

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = await ask_once(self._shop.addresses["queue-saga"], method, path, body)
        assert answer.status == 200, answer
        return answer.json()
