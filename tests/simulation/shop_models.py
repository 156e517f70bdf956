"""Wallets and stock of a simulated shop as purses: one order of all that was done explains what everybody saw.

An order's hold happened between the moment at which its client first asked and the one at which the room's answer was
first seen; what was done about it later, between the first request and the answer, or the end of the run. Refused is a
hold only where the room itself said so: a fault that refuses says nothing of the wallet.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from amends.messages import Operation as Direction
from amends.testing.linearizable import Operation, check
from amends.testing.objects import Answer, Capture, Deposit, Hold, Purse, PurseInput, PurseOutput, Read, Release
from amends.testing.worlds import World
from tests.simulation.shop_clients import Book
from tests.simulation.shop_sown import MONEY, STOCK, sown

Done = Operation[PurseInput, PurseOutput]
Answers = Mapping[tuple[str, str, str], tuple[str, str]]

_FOLLOWED = ("bread", "teapot")
_ORDERS = "select id, user_id, items, total_minor, pay_with, coalesce(cancel_saga, '') from orders order by id"
_KEYS = "select cast(headers as text), key from idempotency_keys where route = '/api/orders' and status = 202"
_ANSWERS = "select saga, step, operation, outcome, type from inbox"


class Bought(NamedTuple):
    """A row of `orders`."""

    id: str
    user_id: str
    items: Mapping[str, int]
    total_minor: int
    pay_with: str
    cancel_saga: str


class Explained:
    """What one world did to its wallets and its stock."""

    def __init__(self, world: World, book: Book) -> None:
        self._world = world
        self._book = book
        self._keys = dict(self._rows("orders", _KEYS))
        self._answered = _first_answers(world)

    def violations(self) -> Iterator[str]:
        """What no order of operations explains."""
        wallets = {f"wallet {name}": money for name, money in MONEY.items()}
        stock = {f"stock {sku}": count for sku, count in STOCK.items()}
        found = check([*self._money(), *self._goods(), *self._looks()], Purse(wallets | stock))
        if found is not None:
            yield str(found)

    def _money(self) -> Iterator[Done]:
        answers = self._answers("billing")
        for order in self._orders():
            if order.pay_with == "wallet":
                key = f"wallet {sown().name_of(order.user_id)}"
                told = answers.get((order.id, "hold money", Direction.ACTION), ("", ""))
                yield from self._held(order, key, "hold money", order.total_minor, told)
                yield from self._later(order, key, answers)
        for paying, called, returned in self._book.deposits.values():
            yield Operation(
                f"wallet {paying.user}", paying.key, called, returned, Deposit(paying.amount_minor), Answer.DONE
            )

    def _later(
        self, order: Bought, key: str, answers: Mapping[tuple[str, str, str], tuple[str, str]]
    ) -> Iterator[Done]:
        """What became of money that was held."""
        wanted: list[tuple[str, str, Direction, PurseInput]] = [
            (order.id, "capture money", Direction.ACTION, Capture(order.total_minor)),
            (order.id, "hold money", Direction.COMPENSATION, Release(order.total_minor)),
            (order.cancel_saga, "refund money", Direction.ACTION, Deposit(order.total_minor)),
        ]
        held = answers.get((order.id, "hold money", Direction.ACTION), ("", ""))[0] == "done"
        for saga, step, direction, what in wanted:
            if held and answers.get((saga, step, direction), ("", ""))[0] == "done":
                yield self._operation(order, key, what, Answer.DONE, self._answered.get((saga, step, direction)))

    def _goods(self) -> Iterator[Done]:
        answers = self._answers("warehouse")
        for order in self._orders():
            told = answers.get((order.id, "reserve stock", Direction.ACTION), ("", ""))
            for sku in [sku for sku in order.items if sku in _FOLLOWED]:
                key, count = f"stock {sku}", order.items[sku]
                if told[0] == "done" or len(order.items) == 1:
                    yield from self._held(order, key, "reserve stock", count, told)
                for saga, step, direction in (
                    (order.id, "reserve stock", Direction.COMPENSATION),
                    (order.cancel_saga, "release stock", Direction.ACTION),
                ):
                    if told[0] == "done" and answers.get((saga, step, direction), ("", ""))[0] == "done":
                        seen = self._answered.get((saga, step, direction))
                        yield self._operation(order, key, Release(count), Answer.DONE, seen)

    def _held(self, order: Bought, key: str, step: str, amount: int, told: tuple[str, str]) -> Iterator[Done]:
        seen = self._answered.get((order.id, step, Direction.ACTION))
        if told[0] == "done":
            yield self._operation(order, key, Hold(amount), Answer.DONE, seen)
        elif told[1] in ("InsufficientFunds", "OutOfStock"):
            yield self._operation(order, key, Hold(amount), Answer.REFUSED, seen)

    def _looks(self) -> Iterator[Done]:
        for look in self._book.looks:
            yield Operation(look.key, "reader", look.called, look.returned, Read(), look.seen)

    def _operation(self, order: Bought, key: str, what: PurseInput, came: Answer, seen: int | None) -> Done:
        called = self._book.called.get(self._keys[order.id], 0)
        return Operation(key, order.id, called, len(self._world.record) if seen is None else seen, what, came)

    def _orders(self) -> Iterator[Bought]:
        for id, user_id, items, *rest in self._rows("orders", _ORDERS):
            yield Bought(id, user_id, _counted(items), *rest)

    def _answers(self, room: str) -> Answers:
        """Of each operation the outcome, and the kind of reply."""
        return {
            (saga, step, operation): (outcome or "", kind.rpartition(".")[2])
            for saga, step, operation, outcome, kind in self._rows(room, _ANSWERS)
        }

    def _rows(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        return list(self._world.databases[database].connection.execute(sql))


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
