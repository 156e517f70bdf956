"""Named signals: what logs and metrics are made of. One a hop, with counts and ids, no sentences."""

from collections.abc import Callable

from amends.hops import Handled, Moved, Observer

Field = str | int | float | list[str]
Listener = Callable[[str, dict[str, Field]], None]


class Signals:
    """Passes each signal to every listener, in the order in which they came.

    >>> signals = Signals()
    >>> signals.listen(lambda name, fields: print(name, fields))
    >>> signals.emit("hop.done", room="billing", messages=3)
    hop.done {'room': 'billing', 'messages': 3}
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._observers: list[Observer] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def emit(self, name: str, **fields: Field) -> None:
        for listener in self._listeners:
            listener(name, fields)

    def observe(self, observer: Observer) -> None:
        """Has every hop told in full."""
        self._observers.append(observer)

    def moved(self, hop: Moved) -> None:
        for observer in self._observers:
            observer.moved(hop)

    def handled(self, hop: Handled) -> None:
        for observer in self._observers:
            observer.handled(hop)
