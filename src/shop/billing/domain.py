"""Rules of wallets and holds. Amounts are in minor units.

A hold is made once and moves once, or twice when captured money is given back. A payment is a hold that is captured as
it is made:

          hold           capture             refund
    (none) ───▶ held ─────────────▶ captured ───────▶ refunded
      │          └──release──▶ released  ▲
      └───────────────pay────────────────┘
"""

from collections.abc import Iterable
from enum import Enum, StrEnum
from typing import NamedTuple, assert_never

MOST_MINOR = 10**12


class HoldState(StrEnum):
    HELD = "held"
    CAPTURED = "captured"
    RELEASED = "released"
    REFUNDED = "refunded"


class TransactionKind(StrEnum):
    """What a transfer is: money put in, taken off, or given back."""

    DEPOSIT = "deposit"
    CAPTURE = "capture"
    REFUND = "refund"


class Balance(NamedTuple):
    """What an account has, and what of it is held. Also a change of both."""

    balance_minor: int
    held_minor: int


class Hold(NamedTuple):
    wallet_id: str
    amount_minor: int
    state: HoldState


class Verdict(Enum):
    """DO it; it is DONE already, or there is nothing to do; the hold is GONE; the wallet is SHORT of money."""

    DO = "do"
    DONE = "done"
    GONE = "gone"
    SHORT = "short"


def is_amount(amount_minor: int) -> bool:
    return 0 < amount_minor <= MOST_MINOR


def hold(known: Hold | None, asked: Hold, free_minor: int) -> Verdict:
    """`known` is the hold of the same id, `free_minor` what the wallet has and doesn't hold."""
    if known is None:
        return Verdict.DO if is_amount(asked.amount_minor) and asked.amount_minor <= free_minor else Verdict.SHORT
    taken = known.state in (HoldState.HELD, HoldState.CAPTURED)
    return Verdict.DONE if taken and known[:2] == asked[:2] else Verdict.GONE


def pay(known: Hold | None, asked: Hold, free_minor: int) -> Verdict:
    """`asked` is captured at once; `known` is the hold of the same id."""
    if known is None:
        return hold(None, asked, free_minor)
    return Verdict.DONE if known == asked else Verdict.GONE


def capture(state: HoldState | None) -> Verdict:
    match state:
        case HoldState.HELD:
            return Verdict.DO
        case HoldState.CAPTURED:
            return Verdict.DONE
        case HoldState.RELEASED | HoldState.REFUNDED | None:
            return Verdict.GONE
        case _:
            assert_never(state)


def release(state: HoldState | None) -> Verdict:
    """Captured money isn't released but refunded."""
    match state:
        case HoldState.HELD:
            return Verdict.DO
        case HoldState.RELEASED | HoldState.REFUNDED | None:
            return Verdict.DONE
        case HoldState.CAPTURED:
            return Verdict.GONE
        case _:
            assert_never(state)


def refund(state: HoldState | None) -> Verdict:
    match state:
        case HoldState.CAPTURED:
            return Verdict.DO
        case HoldState.REFUNDED:
            return Verdict.DONE
        case HoldState.HELD | HoldState.RELEASED | None:
            return Verdict.GONE
        case _:
            assert_never(state)


def give_back(state: HoldState | None) -> Verdict:
    """What was never paid needs no refund; held money is released instead."""
    match state:
        case HoldState.CAPTURED:
            return Verdict.DO
        case HoldState.REFUNDED | HoldState.RELEASED | None:
            return Verdict.DONE
        case HoldState.HELD:
            return Verdict.GONE
        case _:
            assert_never(state)


def totals(holds: Iterable[Hold]) -> dict[str, int]:
    """The sum of the holds of each wallet."""
    sums: dict[str, int] = {}
    for wallet_id, amount_minor, _ in holds:
        sums[wallet_id] = sums.get(wallet_id, 0) + amount_minor
    return sums
