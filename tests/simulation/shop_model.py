"""What the shop's rooms have to hold in the end, by what clients were told: small, pure, without databases.

    model = Model()
    model.order(Ordered("7", "ann", (("apple", 2),), WIDE_SLOT, "wallet", "place-order"), "approved")
    model.bookings()        # {("7", WIDE_SLOT)}

Fed with orders that were acknowledged and how each ended, with deposits, and with who has joined.
"""

from collections.abc import Mapping
from typing import NamedTuple

from shop.orders.sagas import place_order
from shop.orders.tcc_saga import place_by_tcc

_NOTIFYING = frozenset({place_order.name, place_by_tcc.name})


class Ordered(NamedTuple):
    """An order as its client asked for it. `saga` is the definition that it went by."""

    id: str
    user_id: str
    items: tuple[tuple[str, int], ...]
    slot: str
    pay_with: str
    saga: str

    @property
    def by_card(self) -> bool:
        return self.pay_with.startswith("card:")

    @property
    def last4(self) -> str:
        return self.pay_with[-4:]


class Row(NamedTuple):
    """What an order looks like in its room."""

    user_id: str
    items: tuple[tuple[str, int], ...]
    total_minor: int
    slot: str


class Card(NamedTuple):
    """A payment in its room."""

    last4: str
    amount_minor: int
    state: str


class Model:
    """`prices` by sku, in minor units."""

    def __init__(self, prices: Mapping[str, int]) -> None:
        self._prices = prices
        self._orders: dict[str, tuple[Ordered, str]] = {}
        self._taken_back: set[str] = set()
        self._deposits: set[str] = set()
        self._users: dict[str, str] = {}

    def order(self, ordered: Ordered, status: str) -> None:
        """It was acknowledged, and ended like that: approved, rejected, cancelled, or turned back before approval."""
        self._orders[ordered.id] = ordered, status

    def take_back(self, order_id: str) -> None:
        """Its client was told that it will be taken back."""
        self._taken_back.add(order_id)

    def deposit(self, id: str) -> None:
        self._deposits.add(id)

    def join(self, user_id: str, email: str) -> None:
        self._users[user_id] = email

    def orders(self) -> dict[str, Row]:
        return {id: self._row(ordered) for id, (ordered, _) in self._orders.items()}

    def not_taken_back(self) -> list[str]:
        """Orders that stand although their clients were told otherwise."""
        return sorted(id for id in self._taken_back if id in self._orders and self._orders[id][1] == "approved")

    def bookings(self) -> set[tuple[str, str]]:
        """Order and slot: a courier for each order that stands."""
        return {(id, ordered.slot) for id, (ordered, status) in self._orders.items() if status == "approved"}

    def cards(self) -> dict[str, frozenset[Card | None]]:
        """By order what its payment may be; None: there is none."""
        return {id: frozenset(self._cards(ordered, status)) for id, (ordered, status) in self._orders.items()}

    def notifications(self) -> set[str]:
        """The ids of those that are sure."""
        told = {f"{deposit}/paid-in" for deposit in self._deposits}
        for id, (ordered, status) in self._orders.items():
            if status in ("approved", "cancelled") and ordered.saga in _NOTIFYING:
                told.add(f"{id}/approved")
            if status == "cancelled":
                told.add(f"{id}/cancelled")
        return told

    def emails(self) -> dict[str, str]:
        return dict(self._users)

    def _row(self, ordered: Ordered) -> Row:
        return Row(ordered.user_id, ordered.items, self._total(ordered), ordered.slot)

    def _total(self, ordered: Ordered) -> int:
        return sum(self._prices[sku] * quantity for sku, quantity in ordered.items)

    def _cards(self, ordered: Ordered, status: str) -> list[Card | None]:
        """A card that was declined, or voided; one that was voided before it was asked for has no number."""
        if not ordered.by_card:
            return [None]
        total, last4 = self._total(ordered), ordered.last4
        match status:
            case "approved":
                return [Card(last4, total, "captured")]
            case "cancelled":
                return [Card(last4, total, "refunded")]
            case _:
                return [None, Card(last4, total, "declined"), Card(last4, total, "voided"), Card("", 0, "voided")]
