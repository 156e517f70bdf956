"""Clients of a simulated shop: each asks until it has an answer that is final, and writes down what it was told."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec

from amends.errors import AmendsError
from amends.mending import Action
from amends.pages import KeyScope
from amends.state import Status
from shop.calls import CallFailed
from shop.desks import ROOMS
from shop.ops.desks import Wanted as Sought
from shop.orders.counter import ROUTE
from shop.users.domain import User
from shop.web.errors import as_problem
from shop.web.problems import Answer, Problem
from tests.simulation.shop_line import Home, Line
from tests.simulation.shop_load import Load, Looking, Paying, Wanted
from tests.simulation.shop_sown import PASSWORD, STOCK, desks, sown, token_at

T = TypeVar("T")

_TRIES = 80
_PAUSE_S = 1.0
_AGAIN = frozenset({401, 409, 429, 500, 503})


class Look(NamedTuple):
    """What a client saw: `called` and `returned` are steps of the world's record."""

    key: str
    called: int
    returned: int
    seen: int


@dataclass
class Book:
    """What clients know. `wrong` is what no shop may ever answer.

    `wanted` by key what was asked for, `taken_back` the orders whose cancellation was acknowledged, `joined` new users.
    """

    wanted: dict[str, list[Wanted]] = field(default_factory=dict)
    taken_back: set[str] = field(default_factory=set)
    joined: list[User] = field(default_factory=list)
    placed: dict[str, set[str]] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    refused: dict[str, set[str]] = field(default_factory=dict)
    deposits: dict[str, tuple[Paying, int, int | None]] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    mended: int = 0


class Clients:
    """Everybody who uses the shop in one world."""

    def __init__(self, line: Line, load: Load, book: Book) -> None:
        self._line = line
        self._world = line.world
        self._load = load
        self._book = book
        self._users = sown().users

    async def run(self) -> None:
        """Returns when everybody has got an answer, or given up."""
        load, work = self._load, list[Any]()
        for wanted in load.orders:
            work += [self._buy(wanted) for _ in range(wanted.copies)]
            if wanted.other:
                work.append(self._reuse(wanted))
        for paying in load.deposits:
            work += [self._pay(paying) for _ in range(paying.copies)]
        work += [self._look(looking) for looking in load.looks]
        work += [self._join()] if load.joining else []
        work += [self._correct()] if load.correcting else []
        await asyncio.gather(*work)

    async def mend(self) -> None:
        """An operator has whatever is stuck asked again, and messages that were given up tried again."""
        for room in self._parked():
            with suppress(AmendsError):
                await self._line.ask(room, lambda home, room=room: _unpark(home, room))  # type: ignore[misc]
                self._book.mended += 1
        for room, sagas in desks().sagas.items():
            try:
                for stuck in await sagas.find(Sought(state=Status.STUCK.value)):
                    await sagas.mend(stuck.id, Action.RETRY, "olga", "the faults are gone", "")
                    self._book.mended += 1
            except (AmendsError, CallFailed) as error:
                self._world.tell("olga", "could not mend", f"{room}: {error}")

    def _parked(self) -> list[str]:
        """Rooms where a person is needed."""
        sql = "select count(*) from parked where retry_at is null and attempts > 0"
        databases = self._world.databases
        return [name for name in ROOMS if databases[name].connection.execute(sql).fetchall()[0][0]]

    async def _buy(self, wanted: Wanted) -> None:
        await asyncio.sleep(wanted.at)
        order_id = await self._place(wanted)
        if order_id and wanted.waits:
            await self._tried(f"end of {order_id}", lambda: desks().orders.ended(order_id, 3.0), tries=1)
        if order_id and wanted.cancel_s is not None:
            await asyncio.sleep(wanted.cancel_s)
            await self._cancel(wanted, order_id)
        if order_id and self._load.spying:
            await self._spy(wanted, order_id)

    async def _place(self, wanted: Wanted) -> str:
        """The order's id; empty when there is none."""
        self._book.called.setdefault(wanted.key, len(self._world.record))
        self._book.wanted.setdefault(wanted.key, []).append(wanted)
        answer = await self._answer(wanted, wanted.body())
        if answer is None:
            self._book.given_up.append(wanted.key)
        elif answer.status in (201, 202):
            return self._acknowledged(wanted, answer)
        elif answer.status == 422:
            self._book.refused.setdefault(wanted.key, set()).add(_name(answer))
        else:
            self._book.wrong.append(f"{wanted.key} was answered {answer.status}: {answer.body!r}")
        return ""

    def _acknowledged(self, wanted: Wanted, answer: Answer) -> str:
        id: str = msgspec.json.decode(answer.body)["id"]
        self._book.placed.setdefault(wanted.key, set()).add(id)
        self._book.told.setdefault(wanted.key, len(self._world.record))
        self._world.tell(wanted.user, "acknowledged", wanted.key, id)
        return id

    async def _reuse(self, wanted: Wanted) -> None:
        """The same key for something else: one of the two gets it, the other is refused."""
        await self._place(wanted._replace(items=(("apple", 7),), at=wanted.at))

    async def _answer(self, wanted: Wanted, body: bytes) -> Answer | None:
        """The first one that is final; None: there was none in time."""
        user, key = self._users[wanted.user], wanted.key.encode()

        async def place(home: Home) -> Answer:
            headers = {b"authorization": token_at(user, home.process.runtime.now()), b"idempotency-key": key}
            if wanted.waits:
                headers[b"prefer"] = b"wait=2"
            try:
                return await home.counters[wanted.saga].place(headers, body)
            except Exception as error:
                return as_problem(error).answer()

        for _ in range(_TRIES):
            try:
                answer = await self._line.ask("orders", place)
                if answer.status not in _AGAIN:
                    return answer
            except AmendsError:
                pass
            await asyncio.sleep(_PAUSE_S)
        return None

    async def _cancel(self, wanted: Wanted, order_id: str) -> None:
        user = self._users[wanted.user]
        scope = KeyScope(user.id, "POST", f"{ROUTE}/{order_id}/cancel", f"cancel-{wanted.number}")
        answer = await self._tried(f"cancel {order_id}", lambda: desks().orders.cancel(order_id, scope))
        if answer is not None:
            self._world.tell(wanted.user, "took back", str(answer.status), order_id)
            if answer.status == 202:
                self._book.taken_back.add(order_id)
            elif answer.status != 409:
                self._book.wrong.append(f"cancelling {order_id} was answered {answer.status}")

    async def _spy(self, wanted: Wanted, order_id: str) -> None:
        """Somebody else asks for the order, by its id."""
        other = next(user for name, user in self._users.items() if name != wanted.user)
        scope = KeyScope(other.id, "POST", f"{ROUTE}/{order_id}/cancel", f"spy-{wanted.number}")
        if await self._tried("spy", lambda: desks().orders.order(order_id, other.id), tries=2) is not None:
            self._book.wrong.append(f"{other.name} may look at {order_id} of {wanted.user}")
        if await self._tried("spy", lambda: desks().orders.cancel(order_id, scope), tries=2) is not None:
            self._book.wrong.append(f"{other.name} may cancel {order_id} of {wanted.user}")

    async def _pay(self, paying: Paying) -> None:
        await asyncio.sleep(paying.at)
        user, book = self._users[paying.user], self._book
        scope = KeyScope(user.id, "POST", "/api/wallet/deposits", paying.key)
        book.deposits.setdefault(paying.key, (paying, len(self._world.record), None))
        answer = await self._tried(
            paying.key, lambda: desks().billing.deposit_once(scope, user.id, paying.amount_minor)
        )
        if answer is None:
            book.given_up.append(paying.key)
        elif answer.status != 201:
            book.wrong.append(f"{paying.key} was answered {answer.status}")
        elif book.deposits[paying.key][2] is None:
            book.deposits[paying.key] = (*book.deposits[paying.key][:2], len(self._world.record))

    async def _look(self, looking: Looking) -> None:
        await asyncio.sleep(looking.at)
        user, record = self._users[looking.user], self._world.record
        called = len(record)
        balance = await self._tried("wallet", lambda: desks().billing.wallet(user.id), tries=1)
        if balance is not None:
            seen = balance.balance_minor - balance.held_minor
            self._book.looks.append(Look(f"wallet {looking.user}", called, len(record), seen))
        called = len(record)
        stock = await self._tried("stock", lambda: desks().warehouse.available([looking.sku]), tries=1)
        if stock is not None:
            self._book.looks.append(Look(f"stock {looking.sku}", called, len(record), stock[looking.sku]))

    async def _join(self) -> None:
        """A new user comes in; who comes twice is told so."""
        await asyncio.sleep(1.0)
        email = "eve@shop.example"
        joined = await self._tried("join", lambda: desks().users.join(email, "Eve", PASSWORD))
        if isinstance(joined, User):
            self._book.joined.append(joined)
        if joined is not None:
            signed = await self._tried("sign in", lambda: desks().users.sign_in(email, PASSWORD, "here"))
            if isinstance(signed, Answer) and signed.status == 401 and joined:
                self._book.wrong.append("eve has joined and can't sign in")

    async def _correct(self) -> None:
        """An operator counts the apples."""
        await asyncio.sleep(2.0)
        count = STOCK["apple"] - 50
        await self._tried("count", lambda: desks().warehouse.put_stock({"apple": count}))

    async def _tried(self, what: str, ask: Callable[[], Awaitable[T]], tries: int = _TRIES) -> Any:
        """What it comes to, asked until it can be; a problem is an answer. None: there was none in time."""
        for attempt in range(tries):
            try:
                return await ask()
            except Problem as refused:
                if refused.status not in _AGAIN or refused.name == "email-taken":
                    return refused.answer()
            except (AmendsError, CallFailed) as error:
                self._world.tell("client", "asks again", f"{what}: {type(error).__name__}")
            except Exception as error:
                self._world.tell("client", "asks again", f"{what}: {type(error).__name__}: {error}")
            if attempt < tries - 1:
                await asyncio.sleep(_PAUSE_S)
        return None


async def _unpark(home: Home, room: str) -> None:
    service = home.services[room]
    async with service.storage.reading() as reader:
        rows = await service.storage.parking.all(reader, 100)
    ids = [row.envelope.id for row in rows if row.retry_at is None and row.attempts]
    for worker in service.workers:
        await worker.unpark(ids)


def _name(answer: Answer) -> str:
    name: str = msgspec.json.decode(answer.body)["type"].rpartition("/")[2]
    return name
