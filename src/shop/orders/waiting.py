"""Waiting for an order's saga to move.

The process that coordinates a saga is told by its watch; any other looks at the database every `LOOK_EVERY_S` seconds.
Whoever waits is let go when the shop closes, so that none holds it up.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from amends.errors import Unavailable
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Signal
from amends.service import Service
from amends.state import ENDED

T = TypeVar("T")

LOOK_EVERY_S = 0.2
MOVED_AWAY_S = 1.0
"""So late it may be noticed that another process has begun to coordinate a saga that is waited for."""


class Waiting:
    """Everybody who waits, until `end`; after it nobody waits any more."""

    def __init__(self, service: Service) -> None:
        assert service.coordinator is not None
        self.over = False
        self._watch = service.coordinator.watch
        self._shards = service.coordinator.shards
        self._runtime = service.runtime
        self._signals: list[Signal] = []

    async def until(
        self, look: Callable[[], Awaitable[T | None]], saga: SagaId, wait_s: float, *, ended: bool = False
    ) -> T | None:
        """What `look` finds: at once, or when the saga has moved, or `ended`; None after `wait_s` seconds.

        For the end of a saga that is known here to be under way, nobody looks at once: nobody else writes it.

        Raises `Unavailable` when the shop closes meanwhile.
        """
        until = self._runtime.now() + wait_s
        with self._told(saga, ended) as moved:
            found = None if ended and self._shards.recall([saga]) else await look()
            while found is None and await self._moved(saga, moved, until):
                moved.clear()
                found = await look()
        return found

    def end(self) -> None:
        self.over = True
        for signal in self._signals:
            signal.set()

    async def _moved(self, saga: SagaId, moved: Signal, until: float) -> bool:
        """It is worth looking again; False when the time has come."""
        while (left_s := until - self._runtime.now()) > 0:
            here = self._shards.of(saga) in self._shards.epochs
            told = await self._runtime.within(min(left_s, MOVED_AWAY_S if here else LOOK_EVERY_S), moved.wait())
            if self.over:
                raise Unavailable("orders is closing: nobody waits here any more, ask again")
            if told is not None or not here:
                return True
        return False

    @contextmanager
    def _told(self, saga: SagaId, ended: bool) -> Iterator[Signal]:
        """A signal that is set when the saga has moved, or `ended`, and when the shop closes."""
        signal = self._runtime.signal()

        def watch(moved: Instance) -> None:
            if not ended or moved.state.status in ENDED:
                signal.set()

        self._watch.add(saga, watch)
        self._signals.append(signal)
        if self.over:
            signal.set()
        try:
            yield signal
        finally:
            self._signals.remove(signal)
            self._watch.remove(saga, watch)
