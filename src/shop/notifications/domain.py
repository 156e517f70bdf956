"""Rules of notifications: each is kept once, and it is what would have been sent."""

from typing import NamedTuple


class Notification(NamedTuple):
    """A text for a user, kept at a Unix time."""

    id: str
    user_id: str
    email: str
    message: str
    at: float
