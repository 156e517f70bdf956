"""What clients of Kafka complain about, told once and not a thousand times."""

from time import monotonic

from amends.signals import Signals

_AGAIN_S = 10.0


class Troubles:
    """Tells of one client's errors; the same one again only after a while."""

    def __init__(self, signals: Signals, client: str) -> None:
        self._signals = signals
        self._client = client
        self._last = ""
        self._quiet_until = 0.0

    def tell(self, error: object) -> None:
        """On the event loop."""
        text, now = str(error)[:500], monotonic()
        if text != self._last or now >= self._quiet_until:
            self._last, self._quiet_until = text, now + _AGAIN_S
            self._signals.emit("kafka.failed", client=self._client, error=text)
