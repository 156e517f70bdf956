"""Is everything consistent? Checks look at databases and say what they saw."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from amends.connections import Reader


class Finding(NamedTuple):
    """One invariant: whether it holds, and the figures that show it. `detail` names what breaks it."""

    name: str
    holds: bool
    figures: Mapping[str, int]
    detail: str = ""


Readers = Mapping[str, Reader]
Check = Callable[[Readers], Awaitable[list[Finding]]]
