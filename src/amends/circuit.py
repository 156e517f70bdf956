"""Knows which participants are away: in an outage sagas wait instead of spending their budgets.

A circuit opens when a participant has let `SILENT_ASKS` asks in a row run out of time, and closes with its next reply.
While it is open an ask goes through now and then, first after `PROBE_S` seconds, then after pauses that double, and
costs its saga nothing; the others wait for spread-out times, so that they come back in a ramp.
"""

from dataclasses import dataclass
from enum import Enum

SILENT_ASKS = 5
PROBE_S = 1.0
PROBE_MOST_S = 30.0


class Silence(Enum):
    """What an ask that ran out of time means: an attempt spent, a probe to send, or nothing but waiting."""

    COUNTS = "counts"
    PROBES = "probes"
    WAITS = "waits"


@dataclass(slots=True)
class Circuit:
    """One participant's. `probe_at` is the Unix time from which a probe may go through."""

    silent: int = 0
    probe_at: float = 0.0
    pause_s: float = PROBE_S

    def answered(self) -> None:
        self.silent, self.pause_s = 0, PROBE_S

    def timed_out(self, now: float) -> Silence:
        """Counts one ask that ran out of time."""
        self.silent += 1
        if self.silent <= SILENT_ASKS:
            return Silence.COUNTS
        if now >= self.probe_at:
            self.probe_at = now + self.pause_s
            self.pause_s = min(2 * self.pause_s, PROBE_MOST_S)
            return Silence.PROBES
        return Silence.WAITS


class Circuits:
    """Every participant's that this coordinator has asked."""

    def __init__(self) -> None:
        self._of: dict[str, Circuit] = {}

    def answered(self, participant: str) -> None:
        circuit = self._of.get(participant)
        if circuit is not None:
            circuit.answered()

    def silent(self, participant: str, now: float) -> Silence:
        """An ask of the participant ran out of time."""
        return self._of.setdefault(participant, Circuit()).timed_out(now)

    def open(self) -> list[str]:
        return sorted(name for name, circuit in self._of.items() if circuit.silent > SILENT_ASKS)
