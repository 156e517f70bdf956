"""Knows which participants are away: in an outage sagas wait instead of spending their budgets.

A circuit opens when a participant has let `SILENT_ASKS` asks in a row run out of time, and closes with its next reply.
While it is open one ask every `PROBE_S` seconds goes through; the others wait for spread-out times, so that they come
back in a ramp.
"""

from dataclasses import dataclass

SILENT_ASKS = 5
PROBE_S = 1.0


@dataclass(slots=True)
class Circuit:
    """One participant's. `probe_at` is the Unix time from which a probe may go through."""

    silent: int = 0
    probe_at: float = 0.0

    def answered(self) -> None:
        self.silent = 0

    def holds(self, now: float) -> bool:
        """Counts one ask that ran out of time; True when its saga has to wait, False when it may ask again."""
        self.silent += 1
        if self.silent <= SILENT_ASKS:
            return False
        if now >= self.probe_at:
            self.probe_at = now + PROBE_S
            return False
        return True


class Circuits:
    """Every participant's that this coordinator has asked."""

    def __init__(self) -> None:
        self._of: dict[str, Circuit] = {}

    def answered(self, participant: str) -> None:
        circuit = self._of.get(participant)
        if circuit is not None:
            circuit.answered()

    def holds(self, participant: str, now: float) -> bool:
        return self._of.setdefault(participant, Circuit()).holds(now)

    def open(self) -> list[str]:
        return sorted(name for name, circuit in self._of.items() if circuit.silent > SILENT_ASKS)
