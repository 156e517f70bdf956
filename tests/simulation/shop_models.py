"""Wallets and stock of a simulated shop as purses: one order of all that was done explains what everybody saw.

An order's hold happened between the moment at which its client first asked and the one at which the room's answer was
first seen; what was done about it later, between the first request and the answer, or the end of the run. Refused is a
hold only where the room itself said so: a fault that refuses says nothing of the wallet.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from amends.testing.linearizable import Operation, check
from amends.testing.objects import Answer, Capture, Deposit, Hold, Purse, PurseInput, PurseOutput, Read, Release
from amends.testing.worlds import World
from tests.simulation.shop_clients import Book
from tests.simulation.shop_sown import MONEY, STOCK, sown

Done = Operation[PurseInput, PurseOutput]

_FOLLOWED = ("bread", "teapot")
_ORDERS = "select id, user_id, items, total_minor, coalesce(cancel_saga, '') from orders order by id"
_KEYS = "select cast(headers as text), key from idempotency_keys where route = '/api/orders' and status = 202"
_ANSWERS = "select saga, step, operation, outcome, type from inbox where outcome is not null"
_HELD = frozenset({"MoneyHeld", "StockReserved", "StockHeld"})
_SHORT = frozenset({"InsufficientFunds", "OutOfStock"})
_GIVEN_BACK = frozenset({"MoneyReleased", "StockReleased", "StockDropped"})


class Bought(NamedTuple):
    """A row of `orders`."""

    id: str
    user_id: str
    items: Mapping[str, int]
    total_minor: int
    cancel_saga: str


class Answered(NamedTuple):
    """A row of an inbox: `kind` is the reply's name, `seen` where in the record it was first told."""

    kind: str
    seen: int


class Explained:
    """What one world did to its wallets and its stock."""

    def __init__(self, world: World, book: Book) -> None:
        self._world = world
        self._book = book
        self._keys = dict(self._rows("orders", _KEYS))
        self._orders = [
            Bought(id, user, _counted(items), *rest) for id, user, items, *rest in self._rows("orders", _ORDERS)
        ]
        self._seen = _first_answers(world)

    def violations(self) -> Iterator[str]:
        """What no order of operations explains."""
        wallets = {f"wallet {name}": money for name, money in MONEY.items()}
        stock = {f"stock {sku}": count for sku, count in STOCK.items()}
        found = check([*self._money(), *self._goods(), *self._looks()], Purse(wallets | stock))
        if found is not None:
            yield str(found)

    def _money(self) -> Iterator[Done]:
        answers = self._answers("billing")
        for order in self._orders:
            key = f"wallet {sown().name_of(order.user_id)}"
            yield from self._moved(order, key, order.total_minor, answers)
        for paying, called, returned in self._book.deposits.values():
            put = Deposit(paying.amount_minor)
            yield Operation(f"wallet {paying.user}", paying.key, called, returned, put, Answer.DONE)

    def _goods(self) -> Iterator[Done]:
        """Of several products nobody knows which one was lacking."""
        answers = self._answers("warehouse")
        for order in self._orders:
            for sku in [sku for sku in order.items if sku in _FOLLOWED]:
                for each in self._moved(order, f"stock {sku}", order.items[sku], answers):
                    if each.output is Answer.DONE or len(order.items) == 1:
                        yield each

    def _moved(self, order: Bought, key: str, amount: int, answers: Mapping[str, Sequence[Answered]]) -> Iterator[Done]:
        """What an order did to a wallet or to a product; to give back what was not held does nothing."""
        called = self._book.called.get(self._keys.get(order.id, ""), 0)
        all = [*answers.get(order.id, ()), *answers.get(order.cancel_saga, ())]
        held = any(each.kind in _HELD for each in all)
        for each in all:
            if each.kind in _SHORT:
                yield Operation(key, order.id, called, each.seen, Hold(amount), Answer.REFUSED)
            elif held and (what := _meant(each.kind, amount)) is not None:
                yield Operation(key, order.id, called, each.seen, what, Answer.DONE)

    def _looks(self) -> Iterator[Done]:
        for look in self._book.looks:
            yield Operation(look.key, "reader", look.called, look.returned, Read(), look.seen)

    def _answers(self, room: str) -> dict[str, list[Answered]]:
        """What the room has answered, by saga."""
        found: dict[str, list[Answered]] = {}
        for saga, step, operation, _, kind in self._rows(room, _ANSWERS):
            seen = self._seen.get((saga, step, operation), len(self._world.record))
            found.setdefault(saga, []).append(Answered(kind, seen))
        return found

    def _rows(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        return list(self._world.databases[database].connection.execute(sql))


def _meant(kind: str, amount: int) -> PurseInput | None:
    """What a reply says was done."""
    if kind in _HELD:
        return Hold(amount)
    if kind in _GIVEN_BACK:
        return Release(amount)
    return Capture(amount) if kind == "MoneyCaptured" else Deposit(amount) if kind == "MoneyRefunded" else None


def _first_answers(world: World) -> dict[tuple[str, str, str], int]:
    """Where in the record the answer to each operation was first seen."""
    first: dict[tuple[str, str, str], int] = {}
    for each in world.record:
        if each.what == "answered" and isinstance(each.detail, str):
            step, _, operation = each.detail.partition(":")[0].rpartition(" ")
            first.setdefault((each.saga, step, operation), each.step)
    return first


def _counted(items: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in msgspec.json.decode(items):
        counts[item["sku"]] = counts.get(item["sku"], 0) + item["quantity"]
    return counts
