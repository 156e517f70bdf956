"""Try, confirm, cancel as a saga definition (G. Pardon, C. Pautasso, "Atomic Distributed Transactions", 2014).

    try, all at once ──every reservation is made──▶ the decision, logged ──▶ confirm, all at once, until done
        └─ a refusal, no answer in time, the deadline ──▶ cancel, each that was tried

It has the shape of two-phase commit, with reservations in place of locks: what was tried is committed at once and can
be seen, as reserved. A reservation may expire by itself: its participant refuses the confirmation then, so it has to
stand for longer than the saga's `deadline_s` and the retries of its confirmation.

    place = tcc(
        "place",
        Purchase,
        reservation("money", reserve=hold, confirm=capture, cancel=release),
        reservation("stock", reserve=set_aside, confirm=take, cancel=put_back),
    )
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from amends.retry import BEFORE_PIVOT, UNTIL_DONE, Retry
from amends.saga import Group, Saga, Step, compensatable, decided, retriable, together
from amends.steps import Ask, I, Undo

DECISION = "decide"


@dataclass(frozen=True, slots=True)
class Reservation(Generic[I]):
    """One participant's part: its step of trying, and how it is confirmed."""

    name: str
    reserve: Ask[I]
    confirm: Ask[I]
    cancel: Undo[I]
    timeout_s: float
    retry: Retry
    until_done: Retry


def reservation(
    name: str,
    *,
    reserve: Ask[I],
    confirm: Ask[I],
    cancel: Undo[I],
    timeout_s: float = 5.0,
    retry: Retry = BEFORE_PIVOT,
    until_done: Retry = UNTIL_DONE,
) -> Reservation[I]:
    """`retry` is the budget of the try, `until_done` that of confirmation and cancellation; `timeout_s` in seconds."""
    return Reservation(name, reserve, confirm, cancel, timeout_s, retry, until_done)


def tcc(
    name: str,
    input: type[I],
    *parts: Reservation[I],
    before: Sequence[Step[I] | Group[I]] = (),
    after: Sequence[Step[I] | Group[I]] = (),
    deadline_s: float = 60.0,
) -> Saga[I]:
    """A saga that tries all parts, then confirms or cancels them. Raises `DefinitionError` when it can't work.

    `before` and `after` are the steps around it: what the saga begins with, and what follows the confirmations.
    """
    tried = [
        compensatable(
            f"try {each.name}",
            each.reserve,
            undo=each.cancel,
            timeout_s=each.timeout_s,
            retry=each.retry,
            undo_retry=each.until_done,
        )
        for each in parts
    ]
    confirmed = [
        retriable(f"confirm {each.name}", each.confirm, timeout_s=each.timeout_s, retry=each.until_done)
        for each in parts
    ]
    phases = together(*tried), decided(DECISION), together(*confirmed)
    return Saga(name, input, *before, *phases, *after, deadline_s=deadline_s)
