"""Makes a run that fails as short as it can be and still fail: fewer of what it runs, then fewer faults.

Faults go by kinds first, then by halves, by quarters, one at a time. What is kept is all that may happen in a run, so
nothing new comes in place of what has been left out. A run that fails for other reasons only is another failure.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from amends.testing.chances import Fault
from amends.testing.scenarios import Violation

_FEW = (1, 2, 3, 5)
_MOST_OCCASIONS = 2_000


class Ran(Protocol):
    """What a run came to. It has failed when there are violations."""

    @property
    def violations(self) -> Sequence[Violation]: ...

    @property
    def happened(self) -> Sequence[Fault]: ...


R = TypeVar("R", bound=Ran)
R_co = TypeVar("R_co", bound=Ran, covariant=True)


class Running(Protocol[R_co]):
    """Runs the same seed with `size` sagas or orders; of all faults, at these rates, `only` these may happen."""

    def __call__(self, size: int, *, only: Collection[Fault] | None, rates: Mapping[str, float] | None) -> R_co: ...


class Shortening(Generic[R]):
    """`best` is the shortest run that failed so far, of `size`; `count` how many were tried, `most` how many may be.

    It ends, too, when `spent` says so.
    """

    def __init__(
        self, run: Running[R], found: R, size: int, most: int, spent: Callable[[], bool] = lambda: False
    ) -> None:
        self.best = found
        self.size = size
        self.count = 0
        self.most = most
        self._run = run
        self._spent = spent
        self._only: frozenset[Fault] | None = None
        self._wrong = {violation.what for violation in found.violations}

    def shorten(self) -> None:
        """In turn, until nothing can be left out."""
        self._shrink()
        while self._drop_faults() and self._shrink():
            pass

    def find_one(self) -> bool:
        """Whether a few sagas fail by one fault alone, on any occasion, of a kind that has happened; the last first."""
        if (self.size, len(self.best.happened)) <= (1, 1):
            return False
        kinds = dict.fromkeys(fault.kind for fault in reversed(self.best.happened))
        return any(self._alone(kind, size) for size in _FEW if size <= self.size for kind in kinds)

    def _shrink(self) -> bool:
        """Whether any smaller size still fails."""
        return any(self._fails(size, self._only) for size in range(1, self.size))

    def _drop_faults(self) -> bool:
        """Whether any could go."""
        before = len(self.best.happened)
        for kind in dict.fromkeys(fault.kind for fault in self.best.happened):
            self._drop([fault for fault in self.best.happened if fault.kind == kind])
        size = max(1, len(self.best.happened) // 2)
        while size:
            if not self._drop_some(size):
                size //= 2
        return len(self.best.happened) < before

    def _drop_some(self, size: int) -> bool:
        """Whether it still fails without `size` faults in a row, anywhere."""
        faults = self.best.happened
        return any(self._drop(faults[at : at + size]) for at in range(0, len(faults), size))

    def _drop(self, faults: Sequence[Fault]) -> bool:
        return bool(faults) and self._fails(self.size, frozenset(self.best.happened) - set(faults))

    def _alone(self, kind: str, size: int) -> bool:
        for number in range(_MOST_OCCASIONS):
            outcomes = self._play(size, frozenset({Fault(kind, number)}), {kind: 1.0})
            if outcomes is None or not outcomes.happened:
                return False
            if self._is_wrong(outcomes):
                self.best, self.size = outcomes, size
                return True
        return False

    def _fails(self, size: int, only: frozenset[Fault] | None) -> bool:
        outcomes = self._play(size, only)
        if outcomes is None or not self._is_wrong(outcomes):
            return False
        self.best, self.size, self._only = outcomes, size, only
        return True

    def _is_wrong(self, outcomes: R) -> bool:
        """For a reason for which it was."""
        return any(violation.what in self._wrong for violation in outcomes.violations)

    def _play(self, size: int, only: frozenset[Fault] | None, rates: Mapping[str, float] | None = None) -> R | None:
        """None when all tries are spent."""
        if self.count >= self.most or self._spent():
            return None
        self.count += 1
        return self._run(size, only=only, rates=rates)
