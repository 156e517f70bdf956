"""Group commit for callers: what concurrent callers bring is handled in one batch, each gets its own result."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from amends.errors import Fenced, Overloaded, Unavailable
from amends.halving import in_halves
from amends.ports import Runtime, Task
from amends.rest import AT_ONCE, Rest
from amends.stumbling import again

T = TypeVar("T")
R = TypeVar("R")

MOST = 1000
MOST_PATIENCE_S = 0.1
OVERLAP = 2  # messages under way for an item of the last batch, about the middle of its way


class Intake(Generic[T, R]):
    """Takes items one by one, hands them to `handle` in batches of what has arrived, at most `most`.

    `handle` gives a result for each item, in order, all in one transaction. When it raises, the batch is tried again in
    halves, so that only the culprit's caller sees the error.

    Before each batch `after(0)` is waited for, at most `MOST_PATIENCE_S`: what is under way may come to its end first.
    Of batches that are `overlapping` the next one begins while some of the last is left: `after` hears how many
    messages may be. `rest` follows a batch that was not full.
    """

    def __init__(
        self,
        handle: Callable[[Sequence[T]], Awaitable[Sequence[R]]],
        runtime: Runtime,
        after: Callable[[int], Awaitable[None]] | None = None,
        most: int = MOST,
        rest: Rest = AT_ONCE,
        *,
        overlapping: bool = False,
    ) -> None:
        self._handle = handle
        self._runtime = runtime
        self._after = after
        self._most = most
        self._rest = rest
        self._overlap = OVERLAP if overlapping else 0
        self._allowed = 0
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self._task: Task | None = None

    def start(self, name: str) -> None:
        self._task = self._runtime.spawn(self._run(), name)

    async def stop(self) -> None:
        """What has been brought is still handled."""
        self._closed = True
        self._arrived.set()
        if self._task is not None:
            await self._task.join()

    async def submit(self, item: T) -> R:
        """Returns the item's result once its batch is durable; raises what `handle` raised for it.

        Raises `Overloaded` when the intake has stopped.
        """
        if self._closed:
            raise Overloaded("this service is stopping: ask again", retry_after_s=1.0)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._arrived.set()
        return await future

    async def _run(self) -> None:
        while not (self._closed and not self._waiting):
            await self._arrived.wait()
            if self._after is not None:
                await self._runtime.within(MOST_PATIENCE_S, self._after(self._allowed))
            began = self._runtime.now()
            batch = self._next_batch()
            try:
                await in_halves(batch, self._take, _fail)
            except (Fenced, Unavailable) as error:  # nobody is left waiting for what may take long
                for pair in batch:
                    await _fail(pair, error)
            took_s = self._runtime.now() - began
            await self._runtime.sleep(self._rest.after(took_s) if len(batch) < self._most else 0.0)

    def _next_batch(self) -> list[tuple[T, "asyncio.Future[R]"]]:
        batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        self._allowed = self._overlap * len(batch)
        if not self._waiting and not self._closed:
            self._arrived.clear()
        return batch

    async def _take(self, batch: Sequence[tuple[T, "asyncio.Future[R]"]]) -> None:
        results = await again(lambda: self._handle([item for item, _ in batch]), self._runtime)
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)


async def _fail(pair: tuple[T, "asyncio.Future[R]"], error: Exception) -> None:
    _, future = pair
    if not future.done():
        future.set_exception(error)
