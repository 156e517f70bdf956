"""The rooms of a simulated shop, held against the model of what its clients were told."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from amends.testing.worlds import World
from tests.simulation.shop_clients import Book
from tests.simulation.shop_load import Wanted
from tests.simulation.shop_model import Card, Model, Ordered, Row
from tests.simulation.shop_sown import COURIERS, PRICES, sown

_ORDERS = """
select id, user_id, items, total_minor, slot,
    case when status = 'cancelled' and cancel_saga is null then 'turned back' else status end
from orders
order by id
"""


class Compared:
    """One world when all has ended."""

    def __init__(self, world: World, book: Book) -> None:
        self._world = world
        self._book = book
        self._rows = {id: rest for id, *rest in self._table("orders", _ORDERS)}
        self._model = self._fed()

    def violations(self) -> Iterator[tuple[str, str]]:
        """The room and what is wrong in it."""
        yield from (("orders", each) for each in self._orders())
        yield from (("delivery", each) for each in self._delivery())
        yield from (("payments", each) for each in self._payments())
        yield from (("notifications", each) for each in self._notifications())
        yield from (("users", each) for each in self._users())

    def _fed(self) -> Model:
        model = Model(PRICES)
        for key, ids in self._book.placed.items():
            for id in ids & self._rows.keys():
                model.order(self._ordered(id, self._book.wanted[key]), self._rows[id][-1])
        for id in self._book.taken_back:
            model.take_back(id)
        for (id,) in self._table("billing", "select id from transfers where kind = 'deposit' order by id"):
            model.deposit(id)
        for user in sown().users.values():
            model.join(user.id, user.email)
        for user in self._book.joined:
            model.join(user.id, user.email)
        return model

    def _ordered(self, id: str, asked: Sequence[Wanted]) -> Ordered:
        """Of several requests with one key the one that was taken; the first when it is none of them."""
        items = _items(self._rows[id][1])
        wanted = next((each for each in asked if each.items == items), asked[0])
        user_id = sown().users[wanted.user].id
        return Ordered(id, user_id, wanted.items, wanted.slot, wanted.pay_with, wanted.saga)

    def _orders(self) -> Iterator[str]:
        for id, row in self._model.orders().items():
            user_id, items, total_minor, slot, _ = self._rows[id]
            if (held := Row(user_id, _items(items), total_minor, slot)) != row:
                yield f"{id} is {held}, asked for was {row}"
        for id in self._model.not_taken_back():
            yield f"{id} stands, and its client was told that it would be taken back"

    def _delivery(self) -> Iterator[str]:
        bookings = {(id, slot) for id, slot in self._table("delivery", "select order_id, slot from bookings")}
        for id, slot in sorted(bookings ^ self._model.bookings()):
            yield f"{id}: {'booked for nobody' if (id, slot) in bookings else 'no courier'} at {slot}"
        for slot, booked in self._table("delivery", "select slot, booked from slots order by slot"):
            wanted = sum(each[1] == slot for each in self._model.bookings())
            if booked != wanted or booked > COURIERS.get(slot, 0):
                yield f"{slot} has {booked} booked, not {wanted}, of {COURIERS.get(slot, 0)}"

    def _payments(self) -> Iterator[str]:
        sql = "select payment_id, card_last4, amount_minor, state from payments order by payment_id"
        payments = {id: Card(*rest) for id, *rest in self._table("payments", sql)}
        expected = self._model.cards()
        for id in sorted(payments.keys() - expected.keys()):
            yield f"{id} is {payments[id]}, and no order"
        for id, cards in expected.items():
            if payments.get(id) not in cards:
                yield f"{id} is {payments.get(id)}, not any of {sorted(cards, key=str)}"

    def _notifications(self) -> Iterator[str]:
        """Each that is sure, to whom it belongs; beside them only that a wallet is open."""
        rows = self._table("notifications", "select id, user_id, email from notifications order by id")
        kept, emails = {id for id, _, _ in rows}, self._model.emails()
        for id in sorted(self._model.notifications() - kept):
            yield f"{id} was not told"
        for id in sorted(kept - self._model.notifications()):
            if not id.endswith("/open"):
                yield f"{id} was told, and is not so"
        yield from (f"{id} of {user} went to {to}" for id, user, to in rows if emails.get(user, to) != to)

    def _users(self) -> Iterator[str]:
        users = dict(self._table("users", "select id, email from users order by id"))
        for id, email in self._model.emails().items():
            if users.get(id) != email:
                yield f"{email} has joined as {id} and is {users.get(id)}"
        if len(users.values()) != len(set(users.values())):
            yield f"somebody is there twice: {sorted(users.values())}"

    def _table(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        return list(self._world.databases[database].connection.execute(sql))


def _items(items: str) -> tuple[tuple[str, int], ...]:
    return tuple((item["sku"], item["quantity"]) for item in msgspec.json.decode(items))
