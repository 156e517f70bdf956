"""What stumbles over another transaction is tried again as it is: nothing is wrong with it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from amends.errors import Conflict, TryTransactionAgain
from amends.ports import Runtime
from amends.retry import Retry

R = TypeVar("R")

STUMBLED = Retry(attempts=5, base_s=0.005, cap_s=0.05)


async def again(work: Callable[[], Awaitable[R]], runtime: Runtime) -> R:
    """The result of `work`, one transaction; after a `Conflict`, a deadlock or the like it begins anew, a few times."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return await work()
        except (Conflict, TryTransactionAgain):
            if STUMBLED.spent(attempt):
                raise
        await runtime.sleep(STUMBLED.pause_s(attempt, runtime.roll()))
