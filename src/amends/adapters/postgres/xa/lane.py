"""Work that is carried out some at a time."""

from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from amends.ports import Runtime, Task

Work = Callable[[], Coroutine[Any, Any, None]]


class Lane:
    """Runs at most `at_once` pieces of work beside each other; the others wait in the order in which they came."""

    def __init__(self, name: str, at_once: int, runtime: Runtime) -> None:
        self._name = name
        self._at_once = at_once
        self._runtime = runtime
        self._waiting: deque[Work] = deque()
        self._tasks: dict[int, Task] = {}
        self._nth = 0

    def put(self, work: Work) -> None:
        self._waiting.append(work)
        if len(self._tasks) < self._at_once:
            self._nth += 1
            self._tasks[self._nth] = self._runtime.spawn(self._run(self._nth), f"{self._name} {self._nth}")

    async def stop(self) -> None:
        """Gives up what is at work."""
        self._waiting.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            await task.join()

    async def _run(self, nth: int) -> None:
        while self._waiting:
            await self._waiting.popleft()()
        del self._tasks[nth]
