"""Rules of couriers. A courier of a slot is a number; the numbers given back are taken again first."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

MOST_COURIERS = 10**9
_HOURS = frozenset(f"{hour:02}" for hour in range(24))


class Place(NamedTuple):
    """A slot in a calendar."""

    calendar: str
    slot: str


class Slot(NamedTuple):
    """`high` is the highest number of a courier ever taken here."""

    couriers: int
    booked: int
    high: int

    @property
    def given_back(self) -> int:
        """How many numbers up to `high` are free."""
        return self.high - self.booked


class Put(Enum):
    """What became of a slot set by hand. REFUSED: more couriers are booked than there would be."""

    CREATED = "created"
    CHANGED = "changed"
    REFUSED = "refused"


def is_count(couriers: int) -> bool:
    return 0 <= couriers <= MOST_COURIERS


def has_passed(slot: str, now: float) -> bool:
    """Whether a slot begins at Unix time `now` or before.

    >>> has_passed("2033-05-18T03:33:20Z", 2_000_000_000.0), has_passed("2033-05-18T03:33:21Z", 2_000_000_000.0)
    (True, False)
    """
    return slot <= datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def hour_of(slot: str) -> int | None:
    """The hour at which a slot begins; None when a day has no such hour.

    >>> hour_of("2033-05-18T03:33:20Z"), hour_of("2033-05-18T24:00:00Z"), hour_of("2033-05-18T-1:00:00Z")
    (3, None, None)
    """
    hour = slot.partition("T")[2].partition(":")[0]
    return int(hour) if hour in _HOURS else None


def numbers(given_back: Sequence[int], high: int, count: int) -> list[int]:
    """The couriers that the next `count` bookings get; `given_back` holds the smallest free numbers, in order."""
    again = given_back[:count]
    return [*again, *range(high + 1, high + 1 + count - len(again))]
