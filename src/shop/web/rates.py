"""How often one may come: a token bucket for each principal, in memory."""

MOST_PRINCIPALS = 20_000


class Rates:
    """Lets `burst` requests through at once and `per_s` a second after that.

    Each bucket is one number, the time at which it is full again (the generic cell rate algorithm, ITU-T I.371). The
    principal that came first is forgotten when there are too many.

    >>> rates = Rates(per_s=1.0, burst=2)
    >>> [rates.take("ann", now=100.0) for _ in range(3)]
    [0.0, 0.0, 1.0]
    """

    def __init__(self, per_s: float = 500.0, burst: int = 2_000, most: int = MOST_PRINCIPALS) -> None:
        self._interval = 1.0 / per_s
        self._depth = burst / per_s
        self._most = most
        self._full_at: dict[str, float] = {}

    def take(self, principal: str, now: float) -> float:
        """0.0 when the request may pass, else the seconds until the next one may; `now` is Unix time in seconds."""
        full_at = self._full_at.get(principal, now)
        if full_at > now + self._depth:  # the clock was set back: a bucket is never more than empty
            full_at = self._full_at[principal] = now + self._depth
        after = (full_at if full_at > now else now) + self._interval
        late = after - now - self._depth
        if late > 1e-9:
            return late
        self._full_at[principal] = after
        if len(self._full_at) > self._most:
            del self._full_at[next(iter(self._full_at))]
        return 0.0

    def forget(self, principal: str) -> None:
        """Fills the principal's bucket."""
        self._full_at.pop(principal, None)
