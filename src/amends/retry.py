"""How often, and after what pause, something is tried again."""

import msgspec


class Retry(msgspec.Struct, frozen=True):
    """A budget of attempts, with capped exponential back-off and full jitter.

    `pause_s` is `roll · min(cap_s, base_s · 2^(attempt − 1))` with `roll` drawn from [0, 1): the pauses of many
    sagas spread over the whole interval instead of coming back together (M. Brooker, "Exponential Backoff And
    Jitter", 2015).

    >>> Retry(attempts=5, base_s=0.1, cap_s=1.0).pause_s(3, roll=0.5)
    0.2
    """

    attempts: int = 3
    base_s: float = 0.1
    cap_s: float = 10.0

    def pause_s(self, attempt: int, roll: float) -> float:
        """Seconds to wait after attempt number `attempt` (from 1)."""
        return roll * min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 60))

    def spent(self, attempt: int) -> bool:
        """No attempt is left after attempt number `attempt`."""
        return attempt >= self.attempts


BEFORE_PIVOT = Retry(attempts=2, base_s=0.1, cap_s=1.0)
UNTIL_DONE = Retry(attempts=12, base_s=0.1, cap_s=30.0)
