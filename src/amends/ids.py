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

    def __call__(self) -> str:
        millisecond = int(self._now() * 1000)
        if millisecond > self._millisecond:
            self._millisecond, self._count = millisecond, self._random.getrandbits(16)
        else:
            self._count += 1
        return _format(self._millisecond, self._count, self._random.getrandbits(48))


def _format(millisecond: int, count: int, tail: int) -> str:
    """48 bits of time, 26 bits of count (the version's and variant's bits between them), 48 random bits."""
    time = f"{millisecond:012x}"
    return f"{time[:8]}-{time[8:]}-7{count >> 14 & 0xFFF:03x}-{0x8000 | count & 0x3FFF:04x}-{tail:012x}"
