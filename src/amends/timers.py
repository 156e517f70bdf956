"""Durable timers: what is due is in the database; this looks, again and again."""

from collections.abc import Awaitable, Callable, Sequence

from amends.ports import Runtime, Task
from amends.signals import Signals

TICK_S = 0.1
Chore = Callable[[], Awaitable[object]]


class Ticker:
    """Runs chores every `tick_s` seconds; one that fails is told and tried again with the next tick."""

    def __init__(self, chores: Sequence[Chore], runtime: Runtime, signals: Signals, tick_s: float = TICK_S) -> None:
        self._chores = chores
        self._runtime = runtime
        self._signals = signals
        self._tick_s = tick_s
        self._task: Task | None = None

    def start(self, name: str) -> None:
        self._task = self._runtime.spawn(self._run(), name)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def tick(self) -> None:
        for chore in self._chores:
            try:
                await chore()
            except Exception as error:  # the database may be away, a shard may have moved: the next tick tries again
                self._signals.emit("chore.failed", error=f"{type(error).__name__}: {error}"[:500])

    async def _run(self) -> None:
        while True:
            await self._runtime.sleep(self._tick_s)
            await self.tick()
