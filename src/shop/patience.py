"""Waiting for other processes of the shop: they may start in any order, and be away for a moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from amends.errors import Elsewhere, Fenced, Overloaded, TryTransactionAgain, Unavailable
from amends.ports import Runtime

R = TypeVar("R")

PAUSE_S = 0.2
TRIES = 300
_LATER = (Unavailable, Elsewhere, Fenced, TryTransactionAgain, Overloaded)


async def patiently(work: Callable[[], Awaitable[R]], runtime: Runtime) -> R:
    """The result of `work`, tried for about a minute while a room is away or has no shard. Raises its error then."""
    for _ in range(TRIES):
        try:
            return await work()
        except _LATER:
            await runtime.sleep(PAUSE_S)
    return await work()
