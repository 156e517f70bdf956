"""Rules, each taken out by a patch."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import apsw
import pytest

from amends import barrier, idempotency, machine, participant_hop
from amends.adapters.sqlite import SqliteStorage, idempotency_keys
from amends.adapters.sqlite import sagas as sagas_page
from amends.barrier import TOMBSTONE, Verdict
from amends.circuit import Circuits, Silence
from amends.connections import Reader, Tx
from amends.coordinator import Coordinator
from amends.draft import Draft
from amends.machine import Answer, Answered
from amends.messages import Envelope, Operation, Outcome
from amends.pages import BarrierRow, KeyScope, StoredAnswer
from amends.participant_hop import ParticipantHop
from amends.retry import Retry
from amends.shards import Shards
from amends.state import Phase, Status
from amends.steps import Kind

Patch = pytest.MonkeyPatch
judge = barrier.judge


def no_tombstones(patch: Patch) -> None:
    _judging(patch, {Verdict.BURY: Verdict.NOTHING})


def empty_compensation_runs(patch: Patch) -> None:
    _judging(patch, {Verdict.BURY: Verdict.RUN})


def tombstone_is_used_up(patch: Patch) -> None:
    """The first late action meets it; the row goes with that."""

    def forgetful(envelope: Envelope, known: dict[Any, BarrierRow], *rest: Any) -> Verdict:
        own = known.get(barrier.key_of(envelope))
        return Verdict.RUN if own == TOMBSTONE else judge(envelope, known, *rest)

    patch.setattr(participant_hop, "judge", forgetful)


def no_barrier(patch: Patch) -> None:
    _judging(patch, {Verdict.REPEAT: Verdict.RUN})


def attempts_are_ignored(patch: Patch) -> None:
    take = machine._take

    def taken(draft: Draft, at: int, answer: Answered) -> None:
        present = draft.steps[at].attempts
        take(draft, at, Answer(answer.step, answer.operation, present, answer.outcome, answer.type, answer.payload))

    patch.setattr(machine, "_take", taken)


def last_answer_wins(patch: Patch) -> None:
    take = machine._take

    def taken(draft: Draft, at: int, answer: Answered) -> None:
        if draft.steps[at].phase is Phase.DONE and answer.outcome is Outcome.REFUSED:
            draft.put(at, Phase.REFUSED)
            draft.end(Status.COMPENSATED)
        else:
            take(draft, at, answer)

    patch.setattr(machine, "_take", taken)
    patch.setattr(machine, "ENDED", frozenset())
    patch.setattr("amends.moves.ENDED", frozenset())


def effects_outside_the_transaction(patch: Patch) -> None:
    """Every statement is durable at once; there is nothing to roll back."""
    from amends.adapters.sqlite.connection import SqliteTx  # noqa: PLC0415

    run = SqliteTx.run

    async def durable(self: SqliteTx, sql: str, params: Any = ()) -> int:
        changed = await run(self, sql, params)
        if "insert into effects" in sql:
            self._connection.execute("commit")
            self._connection.execute("begin immediate")
            self._connection.execute("savepoint hop")
        return changed

    patch.setattr(SqliteTx, "run", durable)


def intent_is_kept_in_memory(patch: Patch) -> None:
    """Commands leave without a trace in the database, and nobody asks anew after a start."""

    async def insert(self: object, tx: Tx, envelopes: Sequence[Envelope], taken: object = ()) -> None: ...

    patch.setattr("amends.adapters.sqlite.outbox.SqliteOutbox.insert", insert)
    patch.setattr("amends.coordinator.open_asks", lambda state: [])
    patch.setattr(Draft, "ask_again", lambda self, at: self._wait(at, 2.0))
    patch.setattr(Draft, "spent", lambda self, at: False)


def only_answered_steps_are_undone(patch: Patch) -> None:
    def undo_group(self: Draft) -> None:
        for at in reversed(self.saga.groups[self.group]):
            if self.steps[at].phase is Phase.DONE:
                self._send(at, Phase.UNDOING, 1)
        self.group -= 1

    patch.setattr(Draft, "_undo_group", undo_group)


def coordinator_ignores_epochs(patch: Patch) -> None:
    async def check(self: Shards, tx: Tx, shards: Collection[int]) -> dict[int, int]:
        return {shard: self.expect(shard) for shard in shards}

    patch.setattr(Shards, "check", check)


def participants_ignore_epochs(patch: Patch) -> None:
    async def fence(self: ParticipantHop, tx: Tx, batch: Sequence[Envelope], *_: object) -> Sequence[Envelope]:
        return batch

    patch.setattr(ParticipantHop, "_fence", fence)


def late_success_is_not_undone(patch: Patch) -> None:
    patch.setattr(
        machine, "_take_late_action", lambda draft, at, answer: draft.put(at, Phase.SKIPPED) or draft.unwind()
    )


def direction_is_not_one_way(patch: Patch) -> None:
    patch.setattr(machine, "_take_late_action", machine._take_action)


def pivot_counts_as_undoable(patch: Patch) -> None:
    give_up = machine._give_up

    def undo(draft: Draft, at: int, why: str) -> None:
        if draft.definition(at).kind is Kind.PIVOT:
            draft.put(at, Phase.FAILED)
            draft.turn_back(why)
        else:
            give_up(draft, at, why)

    patch.setattr(machine, "_give_up", undo)


def stuck_is_called_compensated(patch: Patch) -> None:
    end = Draft.end
    patch.setattr(Draft, "end", lambda self, status: end(self, Status.COMPENSATED if self.backward else status))


def stuck_undo_holds_up_the_others(patch: Patch) -> None:
    unwind = Draft.unwind

    def waits(self: Draft) -> None:
        if any(step.phase is Phase.STUCK for step in self.steps):
            self.end(Status.STUCK)
        else:
            unwind(self)

    patch.setattr(Draft, "unwind", waits)


def no_circuit(patch: Patch) -> None:
    patch.setattr(Circuits, "silent", lambda self, participant, now: Silence.COUNTS)


def probes_are_not_spaced(patch: Patch) -> None:
    patch.setattr(Circuits, "silent", lambda self, participant, now: Silence.PROBES)


def one_roll_for_all(patch: Patch) -> None:
    patch.setattr("amends.testing.runtime.VirtualRuntime.roll", lambda self: 0.5)


def no_jitter(patch: Patch) -> None:
    def pause_s(self: Retry, attempt: int, roll: float) -> float:
        return min(self.cap_s, self.base_s * 2.0 ** (attempt - 1))

    patch.setattr(Retry, "pause_s", pause_s)


def in_flight_is_not_settled(patch: Patch) -> None:
    def hasty(self: Draft) -> None:
        while not any(step.phase is Phase.UNDOING for step in self.steps):
            if self.group < 0:
                self.end(Status.COMPENSATED)
                return
            self._undo_group()

    patch.setattr(Draft, "unwind", hasty)


def undone_in_order_of_asking(patch: Patch) -> None:
    patch.setattr("amends.draft.reversed", lambda steps: steps, raising=False)


def unknown_versions_are_let_in(patch: Patch) -> None:
    patch.setattr(Coordinator, "_refuse_unknown", lambda self, instances: None)
    patch.setattr(Coordinator, "_asked_anew", lambda self, instance, epochs, now: [])


def batch_fails_as_a_whole(patch: Patch) -> None:
    async def whole(items: Sequence[Any], handle: Callable[..., Awaitable[None]], isolate: object) -> None:
        if items:
            await handle(items)

    patch.setattr("amends.worker.in_halves", whole)


def key_goes_on_without_its_poisoned_message(patch: Patch) -> None:
    """Later messages of the key pass the one that was set aside."""

    async def defer(self: Any, envelope: Envelope, error: Exception) -> None: ...

    patch.setattr("amends.worker.Worker._defer", defer)


def revisions_are_not_checked(patch: Patch) -> None:
    for name in ("update_state", "update_saga"):
        loose = getattr(sagas_page, name).replace("revision = :before", ":before is not null")
        patch.setattr(sagas_page, name, loose)


def coordinator_does_not_sort(patch: Patch) -> None:
    patch.setattr("amends.coordinator.sorted", lambda rows, **_: list(reversed([*rows])), raising=False)


def participant_does_not_sort(patch: Patch) -> None:
    patch.setattr("amends.participant_hop.sorted", lambda keys: sorted(keys, reverse=True), raising=False)


def transactions_begin_deferred(patch: Patch) -> None:
    class Deferred:
        def __init__(self, connection: apsw.Connection) -> None:
            self.connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self.connection, name)

        def __enter__(self) -> object:
            return self.connection.__enter__()

        def __exit__(self, *error: Any) -> bool | None:
            return self.connection.__exit__(*error)

        def execute(self, sql: str, *rest: Any) -> Any:
            return self.connection.execute("begin" if sql == "begin immediate" else sql, *rest)

    writer = SqliteStorage.writer
    patch.setattr(SqliteStorage, "writer", lambda self: Deferred(writer(self)))


def failed_connection_is_kept(patch: Patch) -> None:
    patch.setattr(SqliteStorage, "distrust", lambda self: None)


def folder_is_not_locked(patch: Patch) -> None:
    patch.setattr("fcntl.flock", lambda *_: None)


def last_insert_of_a_key_wins(patch: Patch) -> None:
    """As with `insert or replace`: nobody loses a race."""
    patch.setattr(idempotency_keys, "insert_key", idempotency_keys.insert_key.replace("insert", "insert or replace", 1))


def first_request_leaves_no_mark(patch: Patch) -> None:
    async def claim(self: Any, tx: Tx, scope: KeyScope, wanted: bytes, lease_s: float = 0.0) -> StoredAnswer | None:
        found: StoredAnswer | None = await self.first(tx, scope, wanted)
        return found

    patch.setattr(idempotency.IdempotencyKeys, "claim", claim)


def leases_never_end(patch: Patch) -> None:
    judging = idempotency.judge
    patch.setattr(idempotency, "judge", lambda stored, wanted, now: judging(stored, wanted, 0.0))


def last_answer_of_a_key_wins(patch: Patch) -> None:
    async def finish(self: Any, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> StoredAnswer:
        await self._pages.replace(tx, scope, answer)
        return answer

    patch.setattr(idempotency.IdempotencyKeys, "finish", finish)


def refusals_are_forgotten(patch: Patch) -> None:
    store = idempotency.IdempotencyKeys.store

    async def successes(self: Any, tx: Tx, answers: Sequence[tuple[KeyScope, StoredAnswer]]) -> None:
        await store(self, tx, [pair for pair in answers if pair[1].status < 400])

    patch.setattr(idempotency.IdempotencyKeys, "store", successes)


def keys_belong_to_everybody(patch: Patch) -> None:
    known = idempotency_keys.SqliteKeys.known

    async def shared(self: Any, tx: Reader, scopes: Sequence[KeyScope]) -> dict[KeyScope, StoredAnswer]:
        found = {scope.key: answer for scope, answer in (await known(self, tx, scopes)).items()}
        return {scope: found[scope.key] for scope in scopes if scope.key in found}

    patch.setattr(idempotency_keys.SqliteKeys, "known", shared)


def bodies_are_not_compared(patch: Patch) -> None:
    judging = idempotency.judge
    patch.setattr(
        idempotency, "judge", lambda stored, wanted, now: judging(stored, stored.fingerprint if stored else wanted, now)
    )


def _judging(patch: Patch, instead: dict[Verdict, Verdict]) -> None:
    def other(envelope: Envelope, *rest: Any) -> Verdict:
        verdict = judge(envelope, *rest)
        compensation = envelope.operation is Operation.COMPENSATION
        return instead.get(verdict, verdict) if compensation or verdict is Verdict.REPEAT else verdict

    patch.setattr(participant_hop, "judge", other)
