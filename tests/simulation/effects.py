"""What handlers have done, a row each, held against what the sagas say.

Every database has the table `effects`, written in the handlers' own transactions. Nothing in it is unique: what is done
twice is there twice. `position` counts for all databases together; so it shows what was done before what.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any, NamedTuple

import msgspec

from amends import Migration, Saga, Tx
from amends.adapters.sqlite.sagas import SqliteSagas
from amends.audit import Check, Finding, Readers
from amends.messages import SagaId
from amends.pages import Instance
from amends.state import Phase, Status
from amends.steps import Kind
from amends.testing.scenarios import COORDINATOR

EFFECTS = Migration(
    1,
    "effects",
    ("create table effects (position integer, trip text, step text, undone integer)",),
)
_positions = count()


class Effect(NamedTuple):
    position: int
    trip: str
    step: str
    undone: int


class Told(msgspec.Struct):
    """What every input has."""

    trip: str


async def note(tx: Tx, trip: str, step: str, undone: bool = False) -> None:
    """One effect, in the transaction of its handler."""
    sql = "insert into effects (position, trip, step, undone) values (:position, :trip, :step, :undone)"
    await tx.run(sql, (next(_positions), trip, step, int(undone)))


def as_the_sagas_say(saga: Saga[Any], databases: Sequence[str]) -> Check:
    """All forward, or all undone; each effect once, and in order."""

    async def check(readers: Readers) -> list[Finding]:
        effects = [effect for name in databases for effect in await _effects(readers, name)]
        sagas = await instances(readers)
        known = {msgspec.json.decode(each.input, type=Told).trip: each for each in sagas}
        strays = {effect.trip for effect in effects} - set(known)
        found = [("nothing is done for a saga that is not there", trip) for trip in sorted(strays)]
        for trip, instance in sorted(known.items()):
            own = sorted(effect for effect in effects if effect.trip == trip)
            found += _Judged(saga, instance, own).findings()
        return [Finding(what, False, {}, detail) for what, detail in found]

    return check


async def instances(readers: Readers) -> list[Instance]:
    """Every saga that there is."""
    ids = [SagaId(id) for (id,) in await readers[COORDINATOR].fetch("select id from sagas order by id")]
    return list((await SqliteSagas().load(readers[COORDINATOR], ids)).values())


async def _effects(readers: Readers, name: str) -> list[Effect]:
    return [Effect(*row) for row in await readers[name].fetch("select position, trip, step, undone from effects")]


class _Judged:
    """One saga, and its effects by step."""

    def __init__(self, saga: Saga[Any], instance: Instance, effects: Sequence[Effect]) -> None:
        self.saga = saga
        self.instance = instance
        self.status = instance.state.status
        self.acted = self._by_step(effect for effect in effects if not effect.undone)
        self.undone = self._by_step(effect for effect in effects if effect.undone)

    def findings(self) -> list[tuple[str, str]]:
        who = f"{self.instance.id} ({self.status})"
        steps = [(what, f"{who} {step.name}") for at, step in enumerate(self.saga.steps) for what in self._step(at)]
        return [*steps, *((what, who) for what in self._order())]

    def _by_step(self, effects: Iterator[Effect]) -> list[list[int]]:
        by_step: list[list[int]] = [[] for _ in self.saga.steps]
        for effect in effects:
            by_step[self.saga.index[effect.step]].append(effect.position)
        return by_step

    def _step(self, at: int) -> Iterator[str]:
        acted, undone = self.acted[at], self.undone[at]
        begun = self.saga.steps[at].ask is None
        if len(acted) > 1:
            yield "done once"
        if len(undone) > 1:
            yield "undone once"
        if undone and not begun and not (acted and acted[0] < undone[0]):
            yield "nothing is undone that was not done"
        yield from self._end(at, begun)

    def _end(self, at: int, begun: bool) -> Iterator[str]:
        """What there is when the saga has ended. A begun step has no effect of its own, only its undo has one."""
        kind, phase = self.saga.steps[at].kind, self.instance.state.steps[at].phase
        if phase in (Phase.SKIPPED, Phase.RESOLVED):  # whatever a person says
            return
        left = bool(self.acted[at] or begun) - len(self.undone[at])
        decision = begun and kind is Kind.PIVOT
        if self.status is Status.COMPLETED and phase is Phase.DONE and left != 1:
            yield "what is done stays done"
        if self.status is Status.COMPENSATED and left != 0 and not decision:
            yield "all is undone" if kind is Kind.COMPENSATABLE else "nothing is done past the pivot"

    def _order(self) -> Iterator[str]:
        """A stuck undo holds up no other, and nobody knows when a person has done what he says."""
        if any(line.what in (Phase.STUCK, Phase.SKIPPED) for line in self.instance.state.history):
            return
        acted = [self._of_group(self.acted, group) for group in self.saga.groups]
        undone = [self._of_group(self.undone, group) for group in self.saga.groups]
        if not _in_order([each for each in acted if each]):
            yield "a group begins after the one before it"
        if not _in_order([each for each in reversed(undone) if each]):
            yield "groups are undone last first"
        if _hasty(acted, undone) and not self._unknown:
            yield "what is in flight settles before anything is undone"

    @property
    def _unknown(self) -> bool:
        """Somebody did not answer in time; he may act until his own compensation comes."""
        return any(line.what == "unknown" for line in self.instance.state.history)

    @staticmethod
    def _of_group(by_step: Sequence[Sequence[int]], group: Sequence[int]) -> list[int]:
        return [position for at in group for position in by_step[at]]


def _in_order(groups: Sequence[Sequence[int]]) -> bool:
    return all(max(before) < min(after) for before, after in pairwise(groups))


def _hasty(acted: Sequence[Sequence[int]], undone: Sequence[Sequence[int]]) -> bool:
    return any(act and undo and max(act) > min(undo) for act, undo in zip(acted, undone, strict=True))


def totals(effects: Sequence[Effect]) -> Counter[str]:
    """By step: how often it was done and not undone."""
    left: Counter[str] = Counter()
    for effect in effects:
        left[effect.step] += -1 if effect.undone else 1
    return left


async def counted(readers: Readers, name: str) -> Counter[str]:
    """The same of a database."""
    return totals(await _effects(readers, name))
