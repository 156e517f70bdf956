"""Rules of stock: what is on hand, what of it is reserved."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

MOST_ON_HAND = 10**12


class Stock(NamedTuple):
    sku: str
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class Put(Enum):
    """What became of stock set by hand. REFUSED: more is reserved than would be on hand."""

    CREATED = "created"
    CHANGED = "changed"
    REFUSED = "refused"


def is_count(on_hand: int) -> bool:
    return 0 <= on_hand <= MOST_ON_HAND


def wanted(lines: Iterable[tuple[str, int]]) -> dict[str, int] | None:
    """The quantity of each sku, lines of one sku added up; None when a line's quantity is not positive."""
    sums: dict[str, int] = {}
    for sku, quantity in lines:
        if quantity <= 0:
            return None
        sums[sku] = sums.get(sku, 0) + quantity
    return sums


def fits(quantities: Mapping[str, int], available: Mapping[str, int]) -> bool:
    """Whether there is enough of everything. An unknown sku is never available."""
    return all(quantity <= available.get(sku, 0) for sku, quantity in quantities.items())
