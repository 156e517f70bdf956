"""Rules of notifications: each is kept once, and it is what would have been sent."""

from typing import NamedTuple


class Notification(NamedTuple):
    """A text for a user, kept at a Unix time."""

    id: str
    user_id: str
    email: str
    message: str
    at: float


def paid_in(amount_minor: int, balance_minor: int) -> str:
    """
    >>> paid_in(10020, 5130)
    '100.20 was paid into your wallet; it holds 51.30 now.'
    """
    return f"{_shown(amount_minor)} was paid into your wallet; it holds {_shown(balance_minor)} now."


def paid_out(amount_minor: int, balance_minor: int) -> str:
    """
    >>> paid_out(4890, 5130)
    '48.90 was paid out of your wallet; it holds 51.30 now.'
    """
    return f"{_shown(amount_minor)} was paid out of your wallet; it holds {_shown(balance_minor)} now."


def refused(amount_minor: int, balance_minor: int) -> str:
    """
    >>> refused(14890, 5130)
    'Your wallet is too small to pay 148.90; it holds 51.30.'
    """
    return f"Your wallet is too small to pay {_shown(amount_minor)}; it holds {_shown(balance_minor)}."


def completed(number: int, total_minor: int) -> str:
    """
    >>> completed(7, 200)
    'Your order 7 is complete; 2.00 was paid for it.'
    """
    return f"Your order {number} is complete; {_shown(total_minor)} was paid for it."


def _shown(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"
