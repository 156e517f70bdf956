"""Tells who waits that sagas have moved, after the commit that moved them. In memory, one process."""

from collections.abc import Callable, Sequence

from amends.messages import SagaId
from amends.pages import Instance

Watcher = Callable[[Instance], None]


class Watch:
    """Watchers by saga; `every` sees them all, a hop at a time."""

    def __init__(self) -> None:
        self._watchers: dict[SagaId, list[Watcher]] = {}
        self._every: list[Callable[[Sequence[Instance]], None]] = []

    def add(self, saga: SagaId, watcher: Watcher) -> None:
        self._watchers.setdefault(saga, []).append(watcher)

    def remove(self, saga: SagaId, watcher: Watcher) -> None:
        watchers = self._watchers.get(saga, [])
        if watcher in watchers:
            watchers.remove(watcher)
        if not watchers:
            self._watchers.pop(saga, None)

    def every(self, watcher: Callable[[Sequence[Instance]], None]) -> None:
        self._every.append(watcher)

    def publish(self, moved: Sequence[Instance]) -> None:
        for every in self._every:
            every(moved)
        if self._watchers:
            for instance in moved:
                for watcher in tuple(self._watchers.get(instance.id, ())):
                    watcher(instance)
