"""Waiting for an order's saga to move. Whoever waits is let go when the shop closes, so that none holds it up."""

from collections.abc import Iterator
from contextlib import contextmanager

from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Signal
from amends.service import Service
from amends.state import ENDED


class Waiting:
    """Everybody who waits, until `end`; after it nobody waits any more."""

    def __init__(self, service: Service) -> None:
        assert service.coordinator is not None
        self.over = False
        self._watch = service.coordinator.watch
        self._runtime = service.runtime
        self._signals: list[Signal] = []

    @contextmanager
    def on(self, saga: SagaId, *, ended: bool = False) -> Iterator[Signal]:
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

    def end(self) -> None:
        self.over = True
        for signal in self._signals:
            signal.set()
