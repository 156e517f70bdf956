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
"""

from dataclasses import dataclass
from typing import Generic

from amends.retry import BEFORE_PIVOT, UNTIL_DONE, Retry
from amends.saga import Saga, compensatable, decided, retriable, together
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


def voter(
    name: str,
    *,
    prepare: Ask[I],
    commit: Ask[I],
    abort: Undo[I],
    timeout_s: float = 5.0,
    retry: Retry = BEFORE_PIVOT,
    until_done: Retry = UNTIL_DONE,
) -> Voter[I]:
    """`retry` is the budget of its vote, `until_done` that of its commit and its abort; `timeout_s` in seconds."""
    return Voter(name, prepare, commit, abort, timeout_s, retry, until_done)


def two_phase(name: str, input: type[I], *voters: Voter[I], deadline_s: float = 60.0) -> Saga[I]:
    """A saga in which all vote, then all commit or all abort. Raises `DefinitionError` when it can't work."""
    prepared = [
        compensatable(
            f"prepare {each.name}",
            each.prepare,
            undo=each.abort,
            timeout_s=each.timeout_s,
            retry=each.retry,
            undo_retry=each.until_done,
        )
        for each in voters
    ]
    committed = [
        retriable(f"commit {each.name}", each.commit, timeout_s=each.timeout_s, retry=each.until_done)
        for each in voters
    ]
    return Saga(name, input, together(*prepared), decided(DECISION), together(*committed), deadline_s=deadline_s)
