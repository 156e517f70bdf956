"""Which faults happen: a rate for each kind, drawn by seed, so that runs differ in kind and not only in number.

Each kind draws from a stream of its own. To leave one fault out (`without`), or all but a few (`only`), moves none of
the others: that is how a failing run is made shorter.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from random import Random
from typing import NamedTuple

HIGHEST: Mapping[str, float] = {
    "message lost": 0.2,
    "message copied": 0.3,
    "message late": 0.2,
    "receipt lost": 0.2,
    "commit refused": 0.05,
    "commit lost before": 0.05,
    "commit lost after": 0.05,
    "database away": 0.02,
    "participant fails": 0.05,
    "participant refuses": 0.2,
    "crash": 1.0,
    "freeze": 0.5,
    "clock jump": 0.5,
    "cut off": 0.5,
    "message overtakes": 1.0,
    "answer lost": 0.1,
    "loss told late": 0.5,
    "answer failed": 0.05,
    "stop": 0.5,
}
"""The highest rate of each kind: a share of the occasions; of crash, freeze, jump, cut and stop, how many a second.

Those that a scenario may name besides: "stall", a freeze in the middle of the work, so many a second; "other build", a
share of the starts; "commit slow" and "deadlock", of the commits; "participant slow", of the calls of handlers.
"""


class Fault(NamedTuple):
    """The `number`th occasion of a kind, from 0."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"

    @classmethod
    def parse(cls, told: str) -> "Fault":
        """From how it is told. Raises `ValueError`."""
        kind, _, number = told.strip().rpartition(" ")
        return cls(kind, int(number))


def drawn(seed: int, highest: Mapping[str, float] = HIGHEST) -> dict[str, float]:
    """Half of the kinds never happen in a run, the others at a rate of their own, often a small one."""
    random = Random(f"{seed} rates")
    return {kind: most * random.random() ** 2 if random.random() < 0.5 else 0.0 for kind, most in highest.items()}


class Chances:
    """`faults` lists what was let happen, `happened` counts it by kind."""

    def __init__(
        self,
        seed: int,
        rates: Mapping[str, float],
        without: Collection[Fault] = (),
        only: Collection[Fault] | None = None,
    ) -> None:
        self.faults: list[Fault] = []
        self.rates = dict(rates)
        self._seed = seed
        self._without = frozenset(without)
        self._only = None if only is None else frozenset(only)
        self._streams: dict[str, Random] = {}
        self._occasions: Counter[str] = Counter()
        self._healed = False

    @property
    def happened(self) -> Counter[str]:
        return Counter(fault.kind for fault in self.faults)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._healed = True

    def of(self, kind: str) -> Random:
        """The stream of a kind, for how long and how much."""
        if kind not in self._streams:
            self._streams[kind] = Random(f"{self._seed} {kind}")
        return self._streams[kind]

    def fires(self, kind: str) -> bool:
        """Whether it happens this time."""
        rate = self.rates.get(kind, 0.0)
        if not rate or self._healed:
            return False
        if self.of(kind).random() >= rate:
            self._occasions[kind] += 1
            return False
        return self.happens(kind)

    def happens(self, kind: str) -> bool:
        """It happens, unless this run is to do without."""
        fault = Fault(kind, self._occasions[kind])
        self._occasions[kind] += 1
        if self._healed or fault in self._without or (self._only is not None and fault not in self._only):
            return False
        self.faults.append(fault)
        return True
