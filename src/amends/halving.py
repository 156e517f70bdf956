"""One poisoned item must not poison its batch: a failed batch is tried again in halves, down to the culprit."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from amends.errors import Fenced, Unavailable

T = TypeVar("T")


async def in_halves(
    items: Sequence[T],
    handle: Callable[[Sequence[T]], Awaitable[None]],
    isolate: Callable[[T, Exception], Awaitable[None]],
) -> None:
    """Runs `handle` on all items; an item that fails alone goes to `isolate`. Keeps the order.

    `Fenced` and `Unavailable` pass: they are nobody's fault.
    """
    if not items:
        return
    try:
        await handle(items)
    except (Fenced, Unavailable):
        raise
    except Exception as error:  # any failure of a handler: the whole point is to find out whose it is
        if len(items) == 1:
            await isolate(items[0], error)
            return
        middle = len(items) // 2
        await in_halves(items[:middle], handle, isolate)
        await in_halves(items[middle:], handle, isolate)
