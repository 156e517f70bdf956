"""Money in a client's JSON: decimal numbers outside, integer minor units inside, no rounding on the way in."""

import re
from decimal import Decimal

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


def to_minor(number: bytes) -> int | None:
    """Minor units of a JSON number as it was sent; None when it isn't one, or not a whole count of minor units.

    >>> to_minor(b"51.30"), to_minor(b"1E3"), to_minor(b"0.001"), to_minor(b" 1"), to_minor(b'"1"')
    (5130, 100000, None, None, None)
    """
    text = number.decode(errors="replace")
    if not _NUMBER.fullmatch(text):
        return None
    minor = Decimal(text).scaleb(2)  # exact: 27 digits fit into the context's 28
    return int(minor) if minor == minor.to_integral_value() else None


def to_major(minor: int) -> float:
    """For showing only.

    >>> to_major(99900), to_major(5130)
    (999.0, 51.3)
    """
    return minor / 100
