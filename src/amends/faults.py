"""Faults on purpose: a participant that refuses, is slow or away, answers late, twice or never. For trying things.

    faults = Faults(runtime, [book_trip])
    service = Service(storage, transport, runtime, signals, participant=hotel, faults=faults)
    faults.put(Fault(refuse=30, lose=10))

    commands ──held back: slow, down──▶ hop ──refused by the barrier, or carried out──▶ replies ──lost, twice, late──▶

Nothing here bends a guarantee: what is refused is refused in the hop's transaction, for good; what is lost was answered
and is asked again. Only what may refuse is made to: the action of a step that is compensatable, the pivot, or best
effort in every definition that has a step of this name. Compensations and steps that have to be done are never refused.
What is set is kept in memory: a restart heals everything.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Protocol

import msgspec

from amends.connections import Tx
from amends.messages import Command, Envelope, Kind, MessageId, Operation, Refusal, type_name
from amends.ports import Runtime, Storage, Task
from amends.saga import Saga
from amends.signals import Signals
from amends.steps import Kind as StepKind
from amends.stumbling import again

Hop = Callable[[Sequence[Envelope]], Awaitable[None]]
Refuse = Callable[[Tx, Any], Awaitable[Refusal]]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=3600)]
_LOOK_S = 0.05


class RefusedByFault(Refusal):
    """Somebody wanted it refused."""


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to go wrong; without anything set: nothing.

    `refuse`, `lose` and `twice` are shares in percent: of the actions that may refuse, of the answers. `slow_ms` passes
    before a command is taken, `late_s` between the work and its answer. Down, the participant takes nothing for
    `down_s` seconds from now on. `saga` limits all of it to the commands of one definition.
    """

    refuse: Percent = 0
    slow_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0
    late_s: Seconds = 0
    lose: Percent = 0
    twice: Percent = 0
    down_s: Seconds = 0
    saga: str = ""


class Replies(Protocol):
    """Where a hop puts its replies: the outbox, or what stands before it."""

    async def put(self, tx: Tx, envelopes: Sequence[Envelope]) -> None: ...


class Faults:
    """The faults of one participant: one for everything, and one a definition, which goes before that.

    `definitions` are those whose commands come: they say what may refuse, and whose a command is. A step's name says
    whose: where several definitions have it, it is nobody's own. `refusals` say by the command's type how it is refused
    where there is more to do, or to tell, than to answer `RefusedByFault`.
    """

    def __init__(
        self,
        runtime: Runtime,
        definitions: Iterable[Saga[Any]],
        refusals: Mapping[type[Command], Refuse] | None = None,
    ) -> None:
        definitions = list(definitions)
        self._runtime = runtime
        self._refusable = refusable(definitions)
        self._owner = owners(definitions)
        self._refusals = {type_name(command): (command, refuse) for command, refuse in (refusals or {}).items()}
        self._set: dict[str, Fault] = {}
        self._down_until: dict[str, float] = {}
        self._tasks: dict[int, Task] = {}
        self._begun = 0
        self._stopped = False
        self._stop = runtime.signal()

    def put(self, fault: Fault) -> None:
        """Takes the place of what was set for the same definition. Raises `ValueError` for one that is not known."""
        if fault.saga and fault.saga not in self._owner.values():
            known = ", ".join(sorted({*self._owner.values()}))
            raise ValueError(f"no saga {fault.saga!r} has a step that no other has: limit it to one of {known}")
        self._set.pop(fault.saga, None)
        self._down_until.pop(fault.saga, None)
        if fault != Fault(saga=fault.saga):
            self._set[fault.saga] = fault
            self._down_until[fault.saga] = self._runtime.now() + fault.down_s

    def shown(self) -> list[Fault]:
        """What is set, `down_s` as what is left of it."""
        now = self._runtime.now()
        left = {saga: round(max(0.0, self._until(saga) - now), 3) for saga in self._set}
        return [msgspec.structs.replace(self._set[saga], down_s=left[saga] or 0) for saga in sorted(self._set)]

    def refuses(self, envelope: Envelope) -> bool:
        """Whether this command, which may be carried out, is to be refused instead."""
        fault = self._of(envelope)
        may = envelope.operation is Operation.ACTION and envelope.step in self._refusable
        return may and fault is not None and self._strikes(fault.refuse)

    async def refuse(self, tx: Tx, envelope: Envelope) -> Refusal:
        """The answer, given in the hop's transaction."""
        if envelope.type not in self._refusals:
            return RefusedByFault()
        command, refuse = self._refusals[envelope.type]
        return await refuse(tx, msgspec.json.decode(envelope.payload, type=command))

    def around(self, hop: Hop, signals: Signals) -> Hop:
        """The same hop, which gets some commands later: while all is down, or each for itself."""

        async def held(batch: Sequence[Envelope]) -> None:
            await self._while_down()
            at_once: list[Envelope] = []
            for envelope in batch:
                pause_s = self._pause_s(envelope)
                if pause_s > 0:
                    self.later(pause_s, [envelope], hop, signals)
                else:
                    at_once.append(envelope)
            if at_once:
                await hop(at_once)

        return held

    def replies(self, outbox: Replies, storage: Storage, signals: Signals) -> Replies:
        """What stands before the outbox."""
        return FaultyReplies(self, outbox, storage, self._runtime, signals)

    def sent(self, reply: Envelope) -> list[tuple[float, Envelope]]:
        """What is sent in place of a reply, and after how many seconds: once, twice, or never."""
        fault = self._of(reply)
        if fault is None:
            return [(0.0, reply)]
        if self._strikes(fault.lose):
            return []
        copies = [reply]
        if self._strikes(fault.twice):
            copies.append(msgspec.structs.replace(reply, id=MessageId(self._runtime.new_id())))
        return [(fault.late_s, each) for each in copies]

    def later(self, pause_s: float, envelopes: Sequence[Envelope], then: Hop, signals: Signals) -> None:
        """Has `then` take them after so many seconds; not at all when it is stopped before."""
        if self._stopped:
            return
        self._begun += 1
        work = self._wait_and_do(self._begun, pause_s, envelopes, then, signals)
        self._tasks[self._begun] = self._runtime.spawn(work, f"later {envelopes[0].id}")

    async def stop(self) -> None:
        """What is held back is given up: it is asked again. Nothing is down any more."""
        self._stopped = True
        self._stop.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            await task.join()

    async def _while_down(self) -> None:
        while not self._stopped and self._until("") > self._runtime.now():
            left = self._until("") - self._runtime.now()
            await self._runtime.within(min(_LOOK_S, left), self._stop.wait())

    def _pause_s(self, envelope: Envelope) -> float:
        """Events come once: they are held up only while all is down."""
        fault = self._of(envelope)
        if fault is None or envelope.kind is not Kind.COMMAND:
            return 0.0
        return max(fault.slow_ms / 1000, self._until(fault.saga) - self._runtime.now())

    async def _wait_and_do(
        self, number: int, pause_s: float, envelopes: Sequence[Envelope], then: Hop, signals: Signals
    ) -> None:
        try:
            await self._runtime.sleep(pause_s)
            await again(lambda: then(envelopes), self._runtime)
        except Exception as error:  # the database may be away: the coordinator asks again
            signals.emit("chore.failed", error=f"{type(error).__name__}: {error}"[:500])
        finally:
            self._tasks.pop(number, None)

    def _of(self, envelope: Envelope) -> Fault | None:
        if not self._set:
            return None
        return self._set.get(self._owner.get(envelope.step, ""), self._set.get(""))

    def _until(self, saga: str) -> float:
        return self._down_until.get(saga, 0.0)

    def _strikes(self, percent: int) -> bool:
        return percent > 0 and self._runtime.roll() * 100 < percent


class FaultyReplies:
    """Puts replies into the outbox, some of them never, twice, or later."""

    def __init__(self, faults: Faults, outbox: Replies, storage: Storage, runtime: Runtime, signals: Signals) -> None:
        self._faults = faults
        self._outbox = outbox
        self._storage = storage
        self._runtime = runtime
        self._signals = signals

    async def put(self, tx: Tx, envelopes: Sequence[Envelope]) -> None:
        """What is late is kept in memory until then: a crash loses it, as it may lose any answer."""
        by_pause: dict[float, list[Envelope]] = {}
        for pause_s, envelope in (pair for each in envelopes for pair in self._faults.sent(each)):
            by_pause.setdefault(pause_s, []).append(envelope)
        await self._outbox.put(tx, by_pause.pop(0.0, []))
        for pause_s, late in by_pause.items():
            tx.after_commit(partial(self._faults.later, pause_s, late, self._put_now, self._signals))

    async def _put_now(self, replies: Sequence[Envelope]) -> None:
        async with self._storage.transaction(self._runtime.now()) as tx:
            await self._outbox.put(tx, replies)


def refusable(definitions: Iterable[Saga[Any]]) -> frozenset[str]:
    """The names of the steps whose action may refuse wherever it is asked for."""
    kinds: dict[str, set[StepKind]] = {}
    for step in (step for saga in definitions for step in saga.steps):
        kinds.setdefault(step.name, set()).add(step.kind)
    return frozenset(name for name, found in kinds.items() if StepKind.RETRIABLE not in found)


def owners(definitions: Iterable[Saga[Any]]) -> dict[str, str]:
    """The definition of each step whose name no other definition uses."""
    names: dict[str, set[str]] = {}
    for saga in definitions:
        for step in saga.steps:
            names.setdefault(step.name, set()).add(saga.name)
    return {name: found.pop() for name, found in names.items() if len(found) == 1}
