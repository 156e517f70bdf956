"""Faults of a transport, each a decorator around another one.

    transport = Duplicating(Losing(InProcess(), lambda message: message.kind is Kind.REPLY and chance() < 0.1))

What a fault swallows is never reported as taken, so its outbox row stays and the sweep sends it again.
"""

from collections.abc import Callable, Sequence
from random import Random

from amends.messages import Envelope
from amends.ports import Subscription, Taken, Transport

Matches = Callable[[Envelope], bool]


def _anything(_: Envelope) -> bool:
    return True


class Recording:
    """Remembers what was sent, in order."""

    def __init__(self, inner: Transport) -> None:
        self.sent: list[Envelope] = []
        self._inner = inner

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        self.sent += envelopes
        self._inner.send(envelopes, taken)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._inner.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)


class Duplicating:
    """Delivers what matches several times; the copies follow at once."""

    def __init__(self, inner: Transport, times: int = 2, matches: Matches = _anything) -> None:
        self.times = times
        self.matches = matches
        self._inner = inner

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        copies = [each for each in envelopes for _ in range(self.times if self.matches(each) else 1)]
        self._inner.send(copies, taken)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._inner.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)


class Losing:
    """Loses what matches; set `matches` anew to heal."""

    def __init__(self, inner: Transport, matches: Matches) -> None:
        self.matches = matches
        self.lost: list[Envelope] = []
        self._inner = inner

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        kept = [each for each in envelopes if not self.matches(each)]
        self.lost += [each for each in envelopes if self.matches(each)]
        self._inner.send(kept, taken)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._inner.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)


class Holding:
    """Holds back what matches until it is let go: a delay, a partition, an outage."""

    def __init__(self, inner: Transport, matches: Matches = _anything) -> None:
        self.matches = matches
        self.held: list[tuple[Envelope, Taken]] = []
        self._inner = inner

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        for each in envelopes:
            if self.matches(each):
                self.held.append((each, taken))
            else:
                self._inner.send([each], taken)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._inner.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)

    def let_go(self, matches: Matches = _anything, random: Random | None = None) -> int:
        """Delivers what is held and matches, shuffled when given `random`; returns how many messages."""
        going = [pair for pair in self.held if matches(pair[0])]
        self.held = [pair for pair in self.held if not matches(pair[0])]
        if random is not None:
            random.shuffle(going)
        for envelope, taken in going:
            self._inner.send([envelope], taken)
        return len(going)

    def heal(self) -> int:
        """Holds nothing any more."""
        self.matches = lambda _: False
        return self.let_go()


class Reordering:
    """Keeps up to `window` messages back and delivers a random one of them for each that comes, whatever its key."""

    def __init__(self, inner: Transport, random: Random, window: int = 4) -> None:
        self._inner = inner
        self._random = random
        self._window = window
        self._kept: list[tuple[Envelope, Taken]] = []

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        for each in envelopes:
            self._kept.append((each, taken))
            if len(self._kept) > self._window:
                self._let_one_go()

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._inner.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)

    def flush(self) -> None:
        """Delivers what is left; call it when nothing else moves."""
        while self._kept:
            self._let_one_go()

    def _let_one_go(self) -> None:
        envelope, taken = self._kept.pop(self._random.randrange(len(self._kept)))
        self._inner.send([envelope], taken)
