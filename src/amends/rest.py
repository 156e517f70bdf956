"""How long whoever takes batches rests between them, so that they grow with the load."""

from typing import NamedTuple


class Rest(NamedTuple):
    """So many times as long as the last batch took, at most `most_s` seconds.

    A small batch costs almost as much as a large one. Who takes at once whatever there is keeps them as small as the
    machine can just bear; who rests delays at most what comes meanwhile, and leaves the processor to others.

    >>> Rest(2.0, 0.05).after(0.01), Rest(2.0, 0.05).after(1.0), Rest().after(1.0)
    (0.02, 0.05, 0.0)
    """

    times: float = 0.0
    most_s: float = 0.0

    def after(self, took_s: float) -> float:
        """Seconds. A clock that was set back while the batch was taken does not matter."""
        return min(max(self.times * took_s, 0.0), self.most_s)


AT_ONCE = Rest()
SHARING = Rest(2.0, 0.05)
"""For processes that share a machine with others of the same work."""
