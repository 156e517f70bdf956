"""The rules of an order: what may be asked for, what it costs, what becomes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

MOST_ITEMS = 100
MOST_QUANTITY = 1_000_000
MOST_TOTAL_MINOR = 10**12
REASONS = frozenset({"out-of-stock", "no-courier", "time-passed", "insufficient-funds", "card-declined"})


class Status(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why an order can't be placed: `problem` is its stable name."""

    problem: str
    detail: str


def check_items(items: Sequence[tuple[str, int]]) -> Wrong | None:
    """Between 1 and 100 items, each of 1 to 1,000,000 pieces."""
    if not 0 < len(items) <= MOST_ITEMS:
        return Wrong("bad-items", f"an order has between 1 and {MOST_ITEMS} items, not {len(items)}")
    for sku, quantity in items:
        if not 0 < quantity <= MOST_QUANTITY:
            return Wrong("bad-items", f"quantity of {sku!r} must be between 1 and {MOST_QUANTITY}")
    return None


def total_minor(items: Sequence[tuple[str, int]], prices: Mapping[str, int]) -> int | Wrong:
    """The order's price, from the shop's own prices."""
    total = 0
    for sku, quantity in items:
        price = prices.get(sku)
        if price is None:
            return Wrong("unknown-product", f"there is no product {sku!r}")
        total += price * quantity
    return total if total <= MOST_TOTAL_MINOR else Wrong("bad-items", "the order's total is too large")


def priced(items: Sequence[tuple[str, int]], prices: Sequence[int]) -> int | Wrong:
    """The order's price, from those that its client names, one an item."""
    total = sum(quantity * price for (_, quantity), price in zip(items, prices, strict=True))
    return total if 0 < total <= MOST_TOTAL_MINOR else Wrong("bad-items", "the order's total is not an amount")


def normal_slot(text: str) -> str | None:
    """An RFC 3339 time with an offset, as `2034-05-26T16:00:00Z`; None when it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    if time.tzinfo is None or len(text) > 35:
        return None
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def card_of(pay_with: str) -> str | Wrong:
    """The card's number, empty for the wallet."""
    if pay_with == "wallet":
        return ""
    kind, _, number = pay_with.partition(":")
    if kind == "card" and number.isascii() and number.isdigit() and 12 <= len(number) <= 19:
        return number
    return Wrong("bad-payment", "pay_with is 'wallet' or 'card:' and a number of 12 to 19 digits")


def masked(pay_with: str) -> str:
    """What is kept and shown of how an order is paid: a card's last four digits."""
    return f"card:…{pay_with[-4:]}" if pay_with.startswith("card:") else pay_with


def verdict(cause: str, by_card: bool) -> tuple[Status, str | None]:
    """What an order that was turned back becomes, and the reason that its buyer sees."""
    if cause == "cancelled":
        return Status.CANCELLED, None
    if cause in REASONS:
        return Status.REJECTED, cause
    late_card = by_card and cause.endswith((": hold money", ": authorize payment"))
    return Status.REJECTED, "card-declined" if late_card else "unavailable"
