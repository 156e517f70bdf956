"""A runtime whose tasks end as those of a killed process do."""

from collections.abc import Coroutine
from typing import Any

from amends.adapters.asyncio_runtime import AsyncioRuntime, AsyncioTask


class MortalRuntime(AsyncioRuntime):
    """Can end all of its tasks at once, wherever they are."""

    def __init__(self) -> None:
        super().__init__()
        self._spawned: list[AsyncioTask] = []

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> AsyncioTask:
        task = super().spawn(work, name)
        self._spawned.append(task)
        return task

    async def kill(self) -> None:
        for task in self._spawned:
            task.cancel()
        for task in self._spawned:
            await task.join()
