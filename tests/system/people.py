"""Who uses the shop: the operator, and buyers with a token each."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from tests.system.wire import Answer, Connection, ask_once

PASSWORD = "correct-horse"
SETTLED_S = 90.0
_POLL_S = 0.05
MOVING = ("running", "compensating")
Document = dict[str, Any]


class Shop(Protocol):
    """A running shop, of one process or of many: its edges' addresses, and the operator's token."""

    @property
    def addresses(self) -> Mapping[str, str]: ...

    @property
    def token(self) -> str: ...


class Operator:
    """Sets what there is, looks at everything."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def ask(self, method: str, path: str, body: object = None, *, key: str = "") -> Answer:
        return await ask_once(self._shop.addresses["ops"], method, path, body, token=self._shop.token, key=key)

    async def put_product(self, sku: str, price_minor: int, on_hand: int) -> None:
        body = {"title": sku.capitalize(), "price_minor": price_minor, "on_hand": on_hand}
        assert (await self.ask("PUT", f"/ops/products/{sku}", body)).status in (200, 201)

    async def put_slot(self, slot: str, couriers: int) -> None:
        assert (await self.ask("PUT", f"/ops/slots/{slot}", {"couriers": couriers})).status in (200, 201)

    async def check(self) -> dict[str, dict[str, int]]:
        """The figures of every invariant; fails when one is broken."""
        answer = await self.ask("GET", "/ops/check")
        broken = [each for each in answer.json()["checks"] if not each["holds"]]
        assert (answer.status, broken) == (200, [])
        return {each["name"]: each["figures"] for each in answer.json()["checks"]}

    async def sagas(self, state: str, limit: int = 100) -> list[Document]:
        found: list[Document] = (await self.ask("GET", f"/ops/sagas?state={state}&limit={limit}")).json()
        return found

    async def causes(self) -> dict[str, int]:
        """Why the latest compensated sagas turned back."""
        return dict(Counter(each["cause"] for each in await self.sagas("compensated")))

    async def settle(self) -> None:
        """Waits until no saga is in flight; fails at once for one that is stuck."""
        await until(self._settled)

    async def _settled(self) -> bool:
        assert not (stuck := await self.sagas("stuck")), stuck
        return not [each for state in MOVING for each in await self.sagas(state, 1)]


class Buyer:
    """A user, signed in."""

    def __init__(self, shop: Shop, email: str, password: str = PASSWORD) -> None:
        self.email = email
        self.password = password
        self.id = ""
        self.token = ""
        self._shop = shop

    async def join(self) -> None:
        body = {"email": self.email, "name": self.email.partition("@")[0], "password": self.password}
        answer = await self.ask("POST", "/api/users", body)
        assert answer.status == 201, answer
        self.id = answer.json()["id"]
        await self.sign_in()

    async def sign_in(self) -> None:
        self.token = ""
        answer = await self.ask("POST", "/api/sessions", {"email": self.email, "password": self.password})
        assert answer.status == 201, answer
        self.token = answer.json()["access_token"]

    def connection(self) -> Connection:
        return Connection(self._shop.addresses["api"], self.token)

    async def ask(self, method: str, path: str, body: object = None, *, key: str = "", prefer: str = "") -> Answer:
        address = self._shop.addresses["api"]
        return await ask_once(address, method, path, body, token=self.token, key=key, prefer=prefer)

    async def deposit(self, amount_minor: int, key: str) -> None:
        answer = await self.ask("POST", "/api/wallet/deposits", {"amount_minor": amount_minor}, key=key)
        assert answer.status == 201, answer

    async def wallet(self) -> Document:
        found: Document = (await self.ask("GET", "/api/wallet")).json()
        return found

    async def orders(self) -> list[Document]:
        return await self._all("/api/orders", lambda each: str(each["id"]))

    async def entries(self) -> list[Document]:
        return await self._all("/api/wallet/entries", lambda each: str(each["id"]))

    async def products(self) -> dict[str, int]:
        """What is available, by sku."""
        listed = await self._all("/api/products", lambda each: str(each["sku"]))
        return {each["sku"]: each["available"] for each in listed}

    async def couriers(self, slot: str) -> int:
        """How many are free."""
        listed = await self._all(f"/api/slots?day={slot[:10]}", lambda each: str(each["slot"]))
        return next(int(each["couriers_free"]) for each in listed if each["slot"] == slot)

    async def _all(self, path: str, mark: Callable[[Document], str]) -> list[Document]:
        """Page by page."""
        connection, found, sign = self.connection(), [], "&" if "?" in path else "?"
        after = ""
        while page := (await connection.ask("GET", f"{path}{sign}limit=100&after={after}")).json():
            found += page
            after = mark(page[-1])
        connection.close()
        return found


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """What another process does can't be waited for but by looking again."""
    async with asyncio.timeout(SETTLED_S):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)


async def buyers(shop: Shop, count: int, money_minor: int = 0, name: str = "buyer") -> list[Buyer]:
    """So many users, a few at a time: passwords cost time."""
    made = [Buyer(shop, f"{name}{number}@shop.example") for number in range(count)]
    for start in range(0, count, 8):
        await asyncio.gather(*(each.join() for each in made[start : start + 8]))
    if money_minor:
        await asyncio.gather(*(each.deposit(money_minor, "first money") for each in made))
    return made


def order_of(sku: str, slot: str, quantity: int = 1, pay_with: str = "wallet") -> Document:
    return {"items": [{"sku": sku, "quantity": quantity}], "slot": slot, "pay_with": pay_with}
