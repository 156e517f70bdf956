"""What holds in every data folder, whatever the program: the library's own checks, page by page, set by set.

Beside a running program each database is read in its own snapshot. So what spans databases is judged only for sagas
that ended before the first of these was taken: all that they rest on was committed earlier still.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from amends.app import App
from amends.asking import build, input_of
from amends.audit import Finding, Readers
from amends.messages import Kind as MessageKind
from amends.messages import Operation
from amends.pages import BarrierKey, Instance
from amends.plan import is_stuck
from amends.ports import Storage
from amends.saga import Saga
from amends.state import ENDED, Phase, Status
from amends.steps import Kind

FORWARD = "every completed saga is all forward"
UNDONE = "every compensated saga is all undone"
MOVING = "every saga on its way waits for something"
KNOWN = "every saga on its way has a definition"
BARRIER = "sagas and participants agree on what was done"
ONCE = "no saga is in two databases"
CAUSED = "every message to send has its cause"
NOT_STUCK = "no saga is stuck"
NOT_PARKED = "no message is parked"
NAMES = (FORWARD, UNDONE, MOVING, KNOWN, BARRIER, ONCE, CAUSED, NOT_STUCK, NOT_PARKED)

_PAGE = 4000
_MESSAGES = 20_000
_NAMED = 5
_FORWARD = frozenset({Phase.DONE, Phase.SKIPPED, Phase.RESOLVED})
_BACK = frozenset({Phase.WAITING, Phase.REFUSED, Phase.UNDONE, Phase.SKIPPED, Phase.RESOLVED})
_OPEN = frozenset({Phase.ASKED, Phase.UNDOING})

page_of_ids = "select id from sagas where id > :after order by id limit :limit"
known_ids = "select id from keys cross join sagas on id = key"
operations_seen = "select saga, step, operation, outcome from inbox where saga >= :first and saga <= :last"

Storages = Mapping[str, Storage]
Seen = set[tuple[str, str, str, str | None]]


class _Tally:
    """Counts what was looked at and what breaks an invariant; names the first few."""

    def __init__(self) -> None:
        self._looked = dict.fromkeys(NAMES, 0)
        self._broken = dict.fromkeys(NAMES, 0)
        self._named: dict[str, list[str]] = {name: [] for name in NAMES}

    def look(self, name: str, count: int = 1) -> None:
        self._looked[name] += count

    def breaks(self, name: str, what: str) -> None:
        self._broken[name] += 1
        if self._broken[name] <= _NAMED:
            self._named[name].append(what)

    def findings(self) -> list[Finding]:
        return [
            Finding(
                name,
                not self._broken[name],
                {"looked at": self._looked[name], "broken": self._broken[name]},
                "; ".join(self._named[name]),
            )
            for name in NAMES
        ]


class _Look(NamedTuple):
    """What one audit works with; `until` is Unix time in seconds."""

    app: App
    storages: Storages
    readers: Readers
    until: float
    tally: _Tally


async def audit(app: App, storages: Storages, until: float) -> list[Finding]:
    """The library's invariants, then the checks of the app.

    `storages` must be the caller's own, not those at work in a running service. `until` is the present Unix time.
    """
    async with AsyncExitStack() as stack:
        order = sorted(storages, key=lambda name: name not in app.sagas)
        readers = {name: await stack.enter_async_context(storages[name].reading()) for name in order}
        for reader in readers.values():
            await reader.fetch(page_of_ids, {"after": "", "limit": 1})  # the snapshot is taken with the first read
        look = _Look(app, storages, readers, until, _Tally())
        for database in app.sagas:
            await _check_sagas(look, database)
        for database in readers:
            await _check_messages(look, database)
        theirs = [finding for check in app.checks for finding in await check(readers)]
        return look.tally.findings() + theirs


async def _check_sagas(look: _Look, database: str) -> None:
    definitions = {(saga.name, saga.version): saga for saga in look.app.sagas[database]}
    others = list(look.app.sagas)[list(look.app.sagas).index(database) + 1 :]
    async for page in _pages(look, database):
        resting: list[tuple[Instance, Saga[Any]]] = []
        for instance in page:
            saga = definitions.get((instance.name, instance.version))
            _judge(look.tally, instance, saga)
            if saga is not None and _rests(instance, look.until):
                resting.append((instance, saga))
        await _check_barriers(look, resting)
        for other in others:
            look.tally.look(ONCE, len(page))
            for (id,) in await look.readers[other].fetch_each(known_ids, [each.id for each in page]):
                look.tally.breaks(ONCE, f"{id} is in {database} and in {other}")


async def _pages(look: _Look, database: str) -> AsyncIterator[Sequence[Instance]]:
    """Every saga of a database, oldest first."""
    reader, after = look.readers[database], ""
    while ids := [id for (id,) in await reader.fetch(page_of_ids, {"after": after, "limit": _PAGE})]:
        after = ids[-1]
        yield list((await look.storages[database].sagas.load(reader, ids)).values())


def _judge(tally: _Tally, instance: Instance, saga: Saga[Any] | None) -> None:
    """What one saga's own row shows."""
    phases = [step.phase for step in instance.state.steps]
    match instance.state.status:
        case Status.COMPLETED:
            left = [at for at, phase in enumerate(phases) if phase not in _FORWARD and not _may_fail(saga, phase, at)]
            _count(tally, FORWARD, instance, saga, left)
        case Status.COMPENSATED:
            left = [at for at, phase in enumerate(phases) if phase not in _BACK]
            _count(tally, UNDONE, instance, saga, left)
        case Status.STUCK:
            left = [at for at, phase in enumerate(phases) if phase is Phase.STUCK]
            _count(tally, NOT_STUCK, instance, saga, left or list(range(len(phases))))
        case Status.RUNNING | Status.COMPENSATING:
            waits = instance.wake_at is not None and not _OPEN.isdisjoint(phases)
            _count(tally, MOVING, instance, saga, [] if waits else list(range(len(phases))))
    if instance.state.status not in ENDED:
        tally.look(KNOWN)
        if saga is None:
            tally.breaks(KNOWN, f"{instance.id} follows {instance.name} {instance.version}")


def _count(tally: _Tally, name: str, instance: Instance, saga: Saga[Any] | None, left: Sequence[int]) -> None:
    tally.look(name)
    if left:
        named = [f"step {at + 1}" if saga is None else saga.steps[at].name for at in left]
        steps = ", ".join(f"{step} is {instance.state.steps[at].phase}" for step, at in zip(named, left, strict=True))
        tally.breaks(name, f"{instance.id} is {instance.state.status}: {steps}")


def _may_fail(saga: Saga[Any] | None, phase: Phase, at: int) -> bool:
    """A best-effort step; of an unknown definition it is believed."""
    return phase is Phase.FAILED and (saga is None or saga.steps[at].kind is Kind.BEST_EFFORT)


def _rests(instance: Instance, until: float) -> bool:
    state = instance.state
    return state.status in ENDED and max(step.at for step in state.steps) <= until


async def _check_barriers(look: _Look, resting: Sequence[tuple[Instance, Saga[Any]]]) -> None:
    """Of each step that was asked, its participant's row is the same outcome, whichever database here holds it."""
    if not resting:
        return
    ids = [instance.id for instance, _ in resting]
    seen: Seen = set()
    for reader in look.readers.values():
        seen.update(await reader.fetch(operations_seen, {"first": min(ids), "last": max(ids)}))
    for instance, saga in resting:
        look.tally.look(BARRIER, len(saga.steps))
        for at in range(len(saga.steps)):
            if wrong := _contradiction(look, instance, saga, at, seen):
                look.tally.breaks(BARRIER, f"{instance.id}, {saga.steps[at].name}: {wrong}")


def _contradiction(look: _Look, instance: Instance, saga: Saga[Any], at: int, seen: Seen) -> str:
    """How the barriers contradict one step of an ended saga; "" when they don't."""
    id, step, phase = instance.id, saga.steps[at], instance.state.steps[at].phase
    acted = (id, step.name, "action", "done") in seen
    undone = (id, step.name, "compensation", "done") in seen
    match phase:
        case Phase.DONE if undone:
            return "the saga counts it as done, its participant has undone it"
        case Phase.DONE if not acted and step.ask is not None:
            return _lacks(look, instance, saga, at, Operation.ACTION)
        case Phase.UNDONE if not undone:
            return _lacks(look, instance, saga, at, Operation.COMPENSATION)
        case Phase.WAITING | Phase.REFUSED if acted and not undone:
            return f"the saga counts it as {phase}, its participant has done it"
    return ""


def _lacks(look: _Look, instance: Instance, saga: Saga[Any], at: int, operation: Operation) -> str:
    """Only a participant with a database here can lack a row; the command is made to know which one it is."""
    to = build(saga.steps[at], input_of(saga, instance), instance.state, saga, operation).participant
    return f"{to} has no {operation} of it that was done" if to in look.readers else ""


async def _check_messages(look: _Look, database: str) -> None:
    """A command was written with its saga, a reply with its barrier row: in one transaction, so at any moment."""
    reader, storage, tally = look.readers[database], look.storages[database], look.tally
    messages = await storage.outbox.unsent(reader, float("inf"), _MESSAGES)
    ids = list(dict.fromkeys(each.saga for each in messages if each.saga))
    sagas = await storage.sagas.load(reader, ids)
    barriers = await storage.inbox.known(reader, ids)
    for each in (message for message in messages if message.kind is not MessageKind.EVENT):
        tally.look(CAUSED)
        barrier = BarrierKey(each.saga, each.step, each.operation)
        if barrier not in barriers if each.kind is MessageKind.REPLY else each.saga not in sagas:
            tally.breaks(CAUSED, f"{database}: {each.kind} {each.id} for saga {each.saga}")
    for parked in await storage.parking.all(reader, _MESSAGES):
        tally.look(NOT_PARKED)
        if is_stuck(parked):
            tally.breaks(NOT_PARKED, f"{database}: {parked.envelope.id} ({parked.error})")
