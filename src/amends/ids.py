"""Ids that sort by the time at which they were made (UUIDv7, RFC 9562 §5.7)."""

from collections.abc import Callable
from random import Random


class UuidV7:
    """Makes UUIDv7 strings that only grow, also within one millisecond (RFC 9562 §6.2, method 1).

    >>> ids = UuidV7(now=lambda: 1700000000.0, random=Random(1))
    >>> ids() < ids()
    True
    """

    def __init__(self, now: Callable[[], float], random: Random) -> None:
        self._now = now
        self._random = random
        self._millisecond = 0
        self._count = 0
        self._head = ""
        self._tail = ""

    def __call__(self) -> str:
        millisecond = int(self._now() * 1000)
        if millisecond > self._millisecond or self._count >= _LAST:
            self._begin(max(millisecond, self._millisecond + 1))
        self._count += 1
        return f"{self._head}{self._count:03x}{self._tail}"

    def _begin(self, millisecond: int) -> None:
        """Within a millisecond ids differ by their count, and from another process's by 62 random bits."""
        random = self._random.getrandbits(62) | 1 << 63
        self._millisecond = millisecond
        self._count = self._random.getrandbits(11)
        self._head = f"{millisecond >> 16:08x}-{millisecond & 0xFFFF:04x}-7"
        self._tail = f"-{random >> 48:04x}-{random & 0xFFFFFFFFFFFF:012x}"


_LAST = 0xFFF  # twelve bits count within a millisecond; past them the clock is taken one further
