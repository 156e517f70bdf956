"""Waiting for other processes of the shop: they may start in any order, and be away for a moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from amends.errors import Unavailable
from amends.ports import Runtime

R = TypeVar("R")

PAUSE_S = 0.2
TRIES = 300


async def patiently(work: Callable[[], Awaitable[R]], runtime: Runtime) -> R:
    """The result of `work`, tried for about a minute while a room can't be reached. Raises `Unavailable` then."""
    for _ in range(TRIES):
        try:
            return await work()
        except Unavailable:
            await runtime.sleep(PAUSE_S)
    return await work()
