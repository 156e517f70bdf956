"""The real world: the system's clock, its randomness, asyncio's tasks."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from random import Random, SystemRandom
from typing import Any, TypeVar

from amends.ids import UuidV7

T = TypeVar("T")


class AsyncioTask:
    """A task whose failure is not lost: `join` raises it."""

    def __init__(self, task: "asyncio.Task[None]") -> None:
        self._task = task

    def cancel(self) -> bool:
        return self._task.cancel()

    async def join(self) -> None:
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()


class AsyncioRuntime:
    """A `Runtime`. Keeps its tasks alive until they end."""

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random(SystemRandom().getrandbits(128))
        self.new_id: Callable[[], str] = UuidV7(self.now, self._random)
        self._tasks: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def within(self, seconds: float, work: Awaitable[T]) -> T | None:
        try:
            return await asyncio.wait_for(work, seconds)
        except TimeoutError:
            return None

    def signal(self) -> asyncio.Event:
        return asyncio.Event()

    def roll(self) -> float:
        return self._random.random()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> AsyncioTask:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return AsyncioTask(task)
