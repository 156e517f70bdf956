"""Rules of users: which e-mail addresses are the same, and which are none."""

import unicodedata
from typing import NamedTuple

MOST_EMAIL = 254


class User(NamedTuple):
    """Somebody who may sign in."""

    id: str
    email: str
    name: str


class Customer(NamedTuple):
    """Somebody known to a storefront (`scope`) by a number; the wallet has the customer's id.

    `user_id` is empty where the dialect has no sign-in.
    """

    id: str
    scope: str
    number: int
    name: str
    email: str
    user_id: str = ""


def is_email(text: str) -> bool:
    """One @ with something on each side, no space or control; whether it exists only a mail can tell."""
    local, at, host = text.partition("@")
    visible = not any(each.isspace() or unicodedata.category(each) == "Cc" for each in text)
    return bool(local and at and host) and "@" not in host and visible and len(text) <= MOST_EMAIL


def fold(email: str) -> str:
    """Addresses that fold to the same text belong to the same user."""
    return unicodedata.normalize("NFKC", email).casefold()
