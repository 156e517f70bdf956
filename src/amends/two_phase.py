"""Two-phase commit as a saga definition (J. Gray, "Notes on Data Base Operating Systems", 1978; presumed abort).

    prepare, all at once ──every vote is yes──▶ the decision, logged ──▶ commit, all at once, until done
        └─ a refusal, no answer in time, the deadline ──▶ abort, each that was asked

The decision is no command: it is written by the coordinator in the transaction that puts the commits in its outbox. A
coordinator that died before it finds no decision and aborts; one that died after it commits. A vote of yes is a
promise: a participant that has prepared can commit whatever happens to it.

    pay = two_phase(
        "pay",
        Purchase,
        voter("payment", prepare=hold, commit=capture, abort=release),
        voter("warehouse", prepare=reserve, commit=take, abort=give_back),
    )

Voters that hold locks until the decision are asked `in_turn`: then nobody waits for somebody who waits for him, as long
as all sagas ask in the same order. `before` and `after` are the steps around it: what the saga begins with, and what
follows once all have committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from amends.retry import BEFORE_PIVOT, UNTIL_DONE, Retry
from amends.saga import Group, Saga, Step, compensatable, decided, retriable, together
from amends.steps import Ask, I, Undo

DECISION = "decide"


@dataclass(frozen=True, slots=True)
class Voter(Generic[I]):
    """One participant's part: three commands made from the saga's input."""

    name: str
    prepare: Ask[I]
    commit: Ask[I]
    abort: Undo[I]
    timeout_s: float
    retry: Retry
    until_done: Retry
    last: bool


def voter(
    name: str,
    *,
    prepare: Ask[I],
    commit: Ask[I],
    abort: Undo[I],
    timeout_s: float = 5.0,
    retry: Retry = BEFORE_PIVOT,
    until_done: Retry = UNTIL_DONE,
    last: bool = False,
) -> Voter[I]:
    """`retry` is the budget of its vote, `until_done` that of its commit and its abort; `timeout_s` in seconds.

    `last`: it is asked to commit when the others have done so; what it shows is committed everywhere then.
    """
    return Voter(name, prepare, commit, abort, timeout_s, retry, until_done, last)


def two_phase(
    name: str,
    input: type[I],
    *voters: Voter[I],
    before: Sequence[Step[I] | Group[I]] = (),
    after: Sequence[Step[I] | Group[I]] = (),
    in_turn: bool = False,
    deadline_s: float = 60.0,
) -> Saga[I]:
    """A saga in which all vote, then all commit or all abort. Raises `DefinitionError` when it can't work."""
    prepared = [_prepare(each) for each in voters]
    votes = [together(each) for each in prepared] if in_turn else [together(*prepared)]
    ranks = [[_commit(each) for each in voters if each.last is last] for last in (False, True)]
    commits = [together(*rank) for rank in ranks if rank]
    return Saga(name, input, *before, *votes, decided(DECISION), *commits, *after, deadline_s=deadline_s)


def _prepare(each: Voter[I]) -> Step[I]:
    return compensatable(
        f"prepare {each.name}",
        each.prepare,
        undo=each.abort,
        timeout_s=each.timeout_s,
        retry=each.retry,
        undo_retry=each.until_done,
    )


def _commit(each: Voter[I]) -> Step[I]:
    return retriable(f"commit {each.name}", each.commit, timeout_s=each.timeout_s, retry=each.until_done)
