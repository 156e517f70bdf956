"""The coordinator: advances the sagas of one service, a batch of replies in one local transaction.

    start ─▶ [saga row · commands in the outbox] ─▶ participants ─▶ replies ─▶ hop ─▶ … ─▶ end
                                                     timers ─▶ expire ─┘

Its sagas are spread over shards; it holds a lease with an epoch for each that it looks after. Every transaction of its
checks the epochs, every command carries one: a coordinator that has been replaced writes nothing and asks nothing
(`Fenced`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from amends.asking import Asker, build, input_of, open_asks
from amends.circuit import Circuits, Silence
from amends.connections import Tx
from amends.errors import Conflict, Overloaded, UnknownMessage, UnknownVersion
from amends.halving import in_halves
from amends.hops import Moved
from amends.machine import Decision, Moment, expire, start, wake_at
from amends.messages import Envelope, Kind, SagaId
from amends.moves import Moves
from amends.outbox import OutboxRelay
from amends.pages import Change, Instance
from amends.ports import Runtime, Storage, Tracer
from amends.saga import Saga
from amends.shards import Shards
from amends.signals import Signals
from amends.state import ENDED, Phase, Status
from amends.stumbling import again
from amends.traces import Untraced
from amends.watch import Watch

I = TypeVar("I", bound=msgspec.Struct)  # noqa: E741

IN_FLIGHT = 20_000
_BATCH = 250
_POSTPONED_S = 5.0
_encode = msgspec.json.Encoder().encode


class Begin(NamedTuple):
    """A saga to start: its id, made by the caller, and its input; `traceparent` is the span that starts it."""

    id: SagaId
    input: msgspec.Struct
    traceparent: str = ""


class Coordinator:
    """Owns the sagas in one service's database, or shards of them. `limit` bounds how many may be in flight.

    `shard_of` says to which shard a saga belongs, given its id. A `ShardOwner`.
    """

    def __init__(
        self,
        name: str,
        definitions: Iterable[Saga[Any]],
        storage: Storage,
        relay: OutboxRelay,
        runtime: Runtime,
        signals: Signals,
        limit: int = IN_FLIGHT,
        shard_of: Callable[[str], int] = lambda _: 0,
        *,
        tracer: Tracer | None = None,
    ) -> None:
        self.name = name
        self.definitions = {(saga.name, saga.version): saga for saga in definitions}
        self.watch = Watch()
        self.circuits = Circuits()
        self.shards = Shards(name, storage.leases, shard_of, runtime.new_id)
        self._limit = limit
        self._storage = storage
        self._relay = relay
        self._runtime = runtime
        self._signals = signals
        self._tracer = tracer or Untraced()
        self._asker = Asker(name, runtime, self._tracer)

    @property
    def room(self) -> int:
        """How many sagas may be started before the bound is reached."""
        return max(0, self._limit - self.in_flight)

    @property
    def in_flight(self) -> int:
        """How many sagas that this process looks after have not ended."""
        return self.shards.in_flight

    async def gained(self, shards: Sequence[int]) -> None:
        """Takes the leases over, then asks anew whatever is in flight. Raises `UnknownVersion`."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            epochs = await self.shards.acquire(tx, shards, self.name)
            instances = await self._storage.sagas.in_flight(tx, shards)
            self._refuse_unknown(instances)
            asked = [each for every in instances for each in self._asked_anew(every, epochs, tx.now)]
            await self._relay.put(tx, asked)
        self.shards.gain(epochs, instances)
        same = {each.id: Change(each, each) for each in instances}
        self._signals.moved(Moved(self._storage.name, tx.now, self.definitions, same, asked))
        told = ", ".join(f"{shard}: {epoch}" for shard, epoch in sorted(epochs.items()))
        self._signals.emit("coordinator.acquired", coordinator=self.name, epochs=told, sagas=len(instances))

    async def lost(self, shards: Sequence[int]) -> None:
        """Another process looks after these now."""
        self.shards.lose(shards)
        self._signals.emit("coordinator.lost", coordinator=self.name, shards=", ".join(map(str, shards)))

    def new_id(self) -> SagaId:
        """An id for a saga that this process can start. Raises `Elsewhere`."""
        return self.shards.new_id()

    async def start(self, tx: Tx, saga: Saga[I], begins: Sequence[Begin]) -> list[Instance]:
        """Starts sagas in the caller's transaction, with ids of `new_id`.

        Raises `Overloaded` when too many are in flight, `Elsewhere` for an id that belongs to another process.
        """
        if self.in_flight + len(begins) > self._limit:
            raise Overloaded(f"{self.in_flight} sagas are in flight, the bound is {self._limit}", retry_after_s=1.0)
        moment = self._moment(tx)
        fresh: list[Instance] = []
        envelopes: list[Envelope] = []
        for begin in begins:
            instance, asked = self._begin(saga, begin, moment)
            fresh.append(instance)
            envelopes += asked
        await self.shards.check(tx, {each.shard for each in fresh})
        await self._storage.sagas.insert(tx, fresh)
        await self._relay.put(tx, envelopes)
        same = {each.id: Change(each, each) for each in fresh}
        tx.after_commit(lambda: self._committed(tx.now, same, envelopes, fresh=True))
        return fresh

    async def hop(self, batch: Sequence[Envelope]) -> None:
        """Takes a batch of replies in. What belongs to another process is left to it: it asks anew.

        Raises `UnknownMessage` for what is no reply: it is set aside, as an undecodable message is.
        """
        async with self._storage.transaction(self._runtime.now()) as tx:
            answers = self._by_saga(batch)
            loaded = await self._load(tx, sorted(answers))
            moves = Moves(self.definitions)
            for id, instance in loaded.items():
                if instance.shard in self.shards.epochs:
                    moves.take(instance, answers[id], self._moment(tx))
            await self._write(tx, moves, batch)

    async def expire(self) -> int:
        """Acts on every timer that is due, a batch at a time; returns how many sagas had one."""
        total = 0
        while due := await self._due():
            await in_halves(due, self._expire_again, self._report)
            total += len(due)
            if len(due) < _BATCH:
                break
        return total

    async def decide(self, tx: Tx, id: SagaId, decider: Callable[[Saga[Any], Instance, Moment], Decision]) -> Instance:
        """Moves one saga by a person's decision, in the caller's transaction.

        Raises `LookupError`, `CannotMend`, `Elsewhere`.
        """
        instance = (await self._load(tx, [id])).get(id)
        if instance is None:
            raise LookupError(f"no saga {id}")
        self.shards.expect(instance.shard)
        moves = Moves(self.definitions)
        moves.put(instance, decider(self._of(instance), instance, self._moment(tx)))
        await self._write(tx, moves)
        return moves.changes[id].after

    def _by_saga(self, batch: Sequence[Envelope]) -> dict[SagaId, list[Envelope]]:
        """Several replies to one saga become one move and one write. Raises `UnknownMessage` for what is no reply."""
        answers: dict[SagaId, list[Envelope]] = {}
        for envelope in batch:
            if envelope.kind is not Kind.REPLY:
                told = f"the {envelope.kind} {envelope.type} (message {envelope.id})"
                raise UnknownMessage(f"coordinator {self.name} takes replies, not {told}")
            self.circuits.answered(envelope.sender)
            answers.setdefault(envelope.saga, []).append(envelope)
        return answers

    async def _due(self) -> list[Instance]:
        async with self._storage.transaction(self._runtime.now()) as tx:
            return await self._storage.sagas.due(tx, list(self.shards.epochs), _BATCH)

    async def _expire_again(self, due: Sequence[Instance]) -> None:
        await again(lambda: self._expire_batch(due), self._runtime)

    async def _expire_batch(self, due: Sequence[Instance]) -> None:
        async with self._storage.transaction(self._runtime.now()) as tx:
            loaded = await self._load(tx, sorted(each.id for each in due))
            moves = Moves(self.definitions)
            for instance in loaded.values():
                held = self._held(instance, tx.now)
                moves.put(instance, expire(self._of(instance), instance.state, self._moment(tx), held), rearm=True)
            await self._write(tx, moves)

    async def _report(self, instance: Instance, error: Exception) -> None:
        """A saga whose timer can't be acted on must not hold up the others: it is tried again after a pause."""
        told = {"saga": instance.id, "error": f"{type(error).__name__}: {error}"[:500]}
        self._signals.emit("saga.failed", **told, traceparent=instance.traceparent)
        async with self._storage.transaction(self._runtime.now()) as tx:
            await self.shards.check(tx, {instance.shard})
            later = instance.moved(instance.state, tx.now + _POSTPONED_S)
            await self._save(tx, [Change(instance, later)])
            tx.after_commit(lambda: self.shards.remember([later]))

    def _held(self, instance: Instance, now: float) -> dict[int, bool]:
        """Steps that wait for their participant to come back, instead of spending an attempt; True: with a probe."""
        saga = self._of(instance)
        held: dict[int, bool] = {}
        for ask in open_asks(instance.state):
            if (instance.state.steps[ask.step].due or now + 1) <= now:
                command = build(saga.steps[ask.step], input_of(saga, instance), instance.state, saga, ask.operation)
                silence = self.circuits.silent(command.participant, now)
                if silence is not Silence.COUNTS:
                    held[ask.step] = silence is Silence.PROBES
        return held if instance.state.group >= saga.commit_group or instance.state.backward else {}

    async def _write(self, tx: Tx, moves: Moves, replies: Sequence[Envelope] = ()) -> None:
        changes = moves.changes
        if changes:
            epochs = await self.shards.check(tx, {change.after.shard for change in changes.values()})
            await self._save(tx, list(changes.values()))
            commands = moves.envelopes(self._asker, epochs, tx.now)
            await self._relay.put(tx, commands)
            tx.after_commit(lambda: self._committed(tx.now, changes, commands, replies))

    async def _load(self, tx: Tx, ids: Sequence[SagaId]) -> dict[SagaId, Instance]:
        known = self.shards.recall(ids)
        if len(known) == len(ids):
            return known
        return known | await self._storage.sagas.load(tx, [id for id in ids if id not in known])

    async def _save(self, tx: Tx, changes: Sequence[Change]) -> None:
        try:
            await self._storage.sagas.save(tx, sorted(changes, key=lambda each: each.after.id))
        except Conflict:
            self.shards.doubt([change.after.id for change in changes])
            raise

    def _begin(self, saga: Saga[I], begin: Begin, moment: Moment) -> tuple[Instance, list[Envelope]]:
        state, asks = start(saga, moment)
        wake, input = wake_at(saga, state), _encode(begin.input)
        shard, trace = self.shards.of(begin.id), self._tracer.of_saga(begin.id, begin.traceparent)
        epoch = self.shards.expect(shard)
        instance = Instance(begin.id, saga.name, saga.version, input, state, 1, wake, trace, moment.now, shard)
        return instance, self._asker.envelopes(saga, instance, asks, epoch, moment.now)

    def _asked_anew(self, instance: Instance, epochs: Mapping[int, int], now: float) -> list[Envelope]:
        asks, epoch = open_asks(instance.state), epochs[instance.shard]
        return self._asker.envelopes(self._of(instance), instance, asks, epoch, now)

    def _committed(
        self,
        began: float,
        changes: Mapping[SagaId, Change],
        commands: Sequence[Envelope],
        replies: Sequence[Envelope] = (),
        fresh: bool = False,
    ) -> None:
        """Tells whoever counts, observes and waits."""
        moved = [change.after for change in changes.values()]
        resting = [each for each in moved if each.wake_at is None]
        ended = [each for each in resting if each.state.status in ENDED]
        begun = len(moved) if fresh else 0
        self.shards.remember(moved)
        self._signals.emit("sagas.moved", coordinator=self.name, sagas=len(moved), started=begun, ended=len(ended))
        for each in resting:
            if each.state.status is Status.STUCK and changes[each.id].before.state.status is not Status.STUCK:
                self._tell_stuck(each)
        hop = Moved(self._storage.name, began, self.definitions, changes, commands, replies, ended, fresh)
        self._signals.moved(hop)
        self.watch.publish(moved)

    def _tell_stuck(self, saga: Instance) -> None:
        pairs = zip(self._of(saga).steps, saga.state.steps, strict=True)
        steps = [step.name for step, state in pairs if state.phase is Phase.STUCK]
        told = {"saga": saga.id, "definition": saga.name, "traceparent": saga.traceparent}
        self._signals.emit("saga.stuck", steps=steps, **told)

    def _of(self, instance: Instance) -> Saga[Any]:
        return self.definitions[instance.name, instance.version]

    def _refuse_unknown(self, instances: Iterable[Instance]) -> None:
        unknown = [each for each in instances if (each.name, each.version) not in self.definitions]
        if unknown:
            names = ", ".join(f"{each.id} ({each.name} {each.version})" for each in unknown[:20])
            mend = "start the program with the definitions that they began with as well"
            raise UnknownVersion(f"{len(unknown)} sagas in flight follow an unknown definition: {names}; {mend}")

    def _moment(self, tx: Tx) -> Moment:
        return Moment(tx.now, self._runtime.roll())
