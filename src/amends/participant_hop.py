"""The participant's hop: inbox, handlers, replies, in one local transaction for a whole batch."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from amends.barrier import NOTHING_TO_UNDO, TOMBSTONE, TOO_LATE, Verdict, judge, key_of
from amends.connections import Tx
from amends.errors import Conflict, DefinitionError
from amends.faults import Faults, Replies
from amends.hops import Handled
from amends.messages import Done, Envelope, Kind, MessageId, Operation, Outcome, Refusal, encode, type_name
from amends.pages import BarrierKey, BarrierRow
from amends.participant import Answer, Asked, Call, Handler, Participant
from amends.ports import Runtime, Storage, Tracer
from amends.signals import Signals
from amends.traces import Untraced

Known = dict[BarrierKey, BarrierRow]
Keyed = tuple[BarrierKey, Envelope]
Sender = tuple[str, int]
"""A coordinator's name, and its shard."""


class Carried(NamedTuple):
    """What came of a batch: the messages that were not dropped for their epoch, and the replies that are known now."""

    taken: Sequence[Envelope]
    replies: list[Envelope]


class ParticipantHop:
    """Takes batches of commands and events for one participant; `relay` takes its replies, and what is told.

    With `faults` it refuses what they want refused.
    """

    def __init__(
        self,
        participant: Participant,
        storage: Storage,
        relay: Replies,
        runtime: Runtime,
        signals: Signals,
        tracer: Tracer | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.participant = participant
        self._storage = storage
        self._relay = relay
        self._runtime = runtime
        self._signals = signals
        self._tracer = tracer or Untraced()
        self._faults = faults

    async def hop(self, batch: Sequence[Envelope]) -> None:
        """Carries the batch out, all of it or nothing; replies leave with the commit."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            carried = await self._carry_out(tx, batch)
            await self._relay.put(tx, carried.replies)
        self._told(tx.now, carried)

    async def ask(self, batch: Sequence[Envelope]) -> Carried:
        """The same for who hands the replies over himself: they are durable in the barrier, not in the outbox."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            carried = await self._carry_out(tx, batch)
            await self._relay.put(tx, ())
        self._told(tx.now, carried)
        return carried

    async def answer(self, tx: Tx, asked: Asked, answer: Answer) -> None:
        """Gives the reply to an operation whose handler said that it comes later. A second answer is ignored."""
        await self.answer_all(tx, [(asked, answer)])

    async def answer_all(self, tx: Tx, answers: Sequence[tuple[Asked, Answer]]) -> None:
        """The same for many at once."""
        known = await self._storage.inbox.known(tx, sorted({asked.saga for asked, _ in answers}))
        written: Known = {}
        told: list[tuple[Envelope, Envelope]] = []
        for asked, answer in answers:
            key = BarrierKey(asked.saga, asked.step, Operation(asked.operation))
            row = known.get(key)
            if row is None:
                raise Conflict(f"saga {asked.saga}, step {asked.step!r}: {asked.operation} was never asked here")
            if row.outcome is None and row.ask is not None:
                known[key] = written[key] = _row_of(answer)
                told.append((row.ask, self._reply(row.ask, written[key], tx.now)))
        if written:
            await self._storage.inbox.replace(tx, sorted(written.items()))
            await self._relay.put(tx, [reply for _, reply in told])
            tx.after_commit(lambda: self._answered(told))

    def _answered(self, told: Sequence[tuple[Envelope, Envelope]]) -> None:
        for ask, reply in told:
            self._signals.handled(Handled(self._storage.name, ask.at, [ask], [reply]))

    async def _carry_out(self, tx: Tx, batch: Sequence[Envelope]) -> Carried:
        newest = _newest_epochs(batch)
        sagas = sorted({each.saga if each.step else each.id for each in batch})
        seen, known = await self._storage.inbox.seen(tx, sorted(map(_named, newest)), sagas)
        batch = await self._fence(tx, batch, newest, seen)
        written: Known = {}
        replies: list[Envelope] = []
        for wave in waves(batch):
            replies += await self._take(tx, wave, known, written)
        await self._record(tx, known, written)
        return Carried(batch, replies)

    def _told(self, began: float, carried: Carried) -> None:
        self._signals.emit("participant.hop", participant=self.participant.name, messages=len(carried.taken))
        self._signals.handled(Handled(self._storage.name, began, *carried))

    async def _fence(
        self, tx: Tx, batch: Sequence[Envelope], newest: Mapping[Sender, int], seen: Mapping[str, int]
    ) -> Sequence[Envelope]:
        """Drops commands of a coordinator that has been replaced: its successor asks again. Notes newer epochs."""
        raised = {_named(who): epoch for who, epoch in newest.items() if epoch > seen.get(_named(who), 0)}
        if raised:
            await self._storage.inbox.raise_epochs(tx, raised)
        least = {who: max(epoch, seen.get(_named(who), 0)) for who, epoch in newest.items()}
        fenced = [each.id for each in batch if each.epoch < least.get((each.sender, each.shard), 0)]
        if not fenced:
            return batch
        self._signals.emit("participant.fenced", participant=self.participant.name, messages=list(map(str, fenced)))
        return [each for each in batch if each.epoch >= least.get((each.sender, each.shard), 0)]

    async def _take(self, tx: Tx, wave: Sequence[Envelope], known: Known, written: Known) -> list[Envelope]:
        """Messages of different keys: judged, then run type by type."""
        replies: list[Envelope] = []
        runs: dict[str, list[Keyed]] = {}
        seen = known | written if written else known
        for envelope in wave:
            key = key_of(envelope)
            verdict = judge(envelope, seen, tx.now, key)
            if verdict is Verdict.RUN and self._faults is not None and self._faults.refuses(envelope):
                row = written[key] = _row_of(await self._faults.refuse(tx, envelope))
                replies.append(self._reply(envelope, row, tx.now))
            elif verdict is Verdict.RUN:
                runs.setdefault(envelope.type, []).append((key, envelope))
            elif verdict is not Verdict.SILENCE:
                row = _without_running(key, verdict, seen, written)
                replies += [self._reply(envelope, row, tx.now)] if envelope.kind is Kind.COMMAND else []
        for envelopes in runs.values():
            replies += await self._run(tx, envelopes, written)
        return replies

    async def _run(self, tx: Tx, keyed: Sequence[Keyed], written: Known) -> list[Envelope]:
        handler = self.participant.handler(keyed[0][1])
        answers = await _call(tx, handler, [envelope for _, envelope in keyed])
        replies = []
        for (key, envelope), answer in zip(keyed, answers, strict=True):
            if answer is None and handler.call in (Call.ONE, Call.MANY):
                raise DefinitionError(f"the handler of {envelope.type} returned None: return a reply, such as Done()")
            row = _row_of(answer) if answer is not None else BarrierRow(None, "", b"", envelope)
            written[key] = row
            if answer is not None and envelope.kind is Kind.COMMAND:
                replies.append(self._reply(envelope, row, tx.now))
        return replies

    async def _record(self, tx: Tx, known: Known, written: Known) -> None:
        fresh = sorted(item for item in written.items() if item[0] not in known)
        changed = [item for item in written.items() if item[0] in known] if len(fresh) < len(written) else []
        if fresh:
            await self._storage.inbox.insert(tx, fresh)
        if changed:
            await self._storage.inbox.replace(tx, changed)

    def _reply(self, ask: Envelope, row: BarrierRow, now: float) -> Envelope:
        id = MessageId(self._runtime.new_id())
        return Envelope(
            id=id,
            kind=Kind.REPLY,
            type=row.type,
            to=ask.sender,
            key=ask.saga,
            at=now,
            payload=row.payload,
            saga=ask.saga,
            step=ask.step,
            operation=ask.operation,
            attempt=ask.attempt,
            epoch=ask.epoch,
            sender=self.participant.name,
            outcome=row.outcome or Outcome.FAILED,
            traceparent=self._tracer.of_message(id, ask.traceparent),
        )


def _newest_epochs(batch: Iterable[Envelope]) -> dict[Sender, int]:
    newest: dict[Sender, int] = {}
    for each in batch:
        who = each.sender, each.shard
        if each.sender and each.epoch > newest.get(who, -1):
            newest[who] = each.epoch
    return newest


def _named(who: Sender) -> str:
    """As the page `epochs` knows it."""
    sender, shard = who
    return f"{sender}/{shard}"


def waves(batch: Iterable[Envelope]) -> list[list[Envelope]]:
    """Splits a batch so that each part holds at most one message of a key, the earliest first."""
    count: dict[str, int] = {}
    split: list[list[Envelope]] = []
    for envelope in batch:
        nth = count.get(envelope.key, 0)
        count[envelope.key] = nth + 1
        if nth == len(split):
            split.append([])
        split[nth].append(envelope)
    return split


def _without_running(key: BarrierKey, verdict: Verdict, seen: Known, written: Known) -> BarrierRow:
    """The row that answers a command whose handler must not run."""
    if verdict is Verdict.REPEAT:
        return seen[key]
    if verdict is Verdict.BURY:
        written[BarrierKey(key.saga, key.step, Operation.ACTION)] = TOMBSTONE
    row = TOO_LATE if verdict is Verdict.LATE else NOTHING_TO_UNDO
    written[key] = row
    return row


async def _call(tx: Tx, handler: Handler, envelopes: Sequence[Envelope]) -> Sequence[Answer | None]:
    decode, function = handler.decoder.decode, handler.function
    messages = [decode(each.payload) for each in envelopes]
    match handler.call:
        case Call.MANY:
            answers: Sequence[Answer | None] = await function(tx, messages)
            return answers
        case Call.LATER:
            return [await function(tx, *pair) for pair in zip(messages, _asked(envelopes), strict=True)]
        case Call.MANY_LATER:
            later: Sequence[Answer | None] = await function(tx, messages, _asked(envelopes))
            return later
        case Call.HEAR:
            for message in messages:
                await function(tx, message)
            return [Done()] * len(messages)
        case _:
            return [await function(tx, message) for message in messages]


def _asked(envelopes: Sequence[Envelope]) -> list[Asked]:
    return [Asked(each.saga, each.step, each.operation.value) for each in envelopes]


def _row_of(answer: Answer) -> BarrierRow:
    """An answer without fields is the same row every time."""
    if answer.__struct_fields__:
        outcome = Outcome.REFUSED if isinstance(answer, Refusal) else Outcome.DONE
        return BarrierRow(outcome, type_name(type(answer)), encode(answer))
    return _plain_row(type(answer))


@cache
def _plain_row(answer: type[Answer]) -> BarrierRow:
    outcome = Outcome.REFUSED if issubclass(answer, Refusal) else Outcome.DONE
    return BarrierRow(outcome, type_name(answer), b"{}")
