"""A saga instance as a value: what has been asked, what was answered, which way it goes.

running ──refusal, timeout, deadline, cancel (before the pivot)──▶ compensating ──▶ compensated
   │                                                                   │
   ├──▶ completed                                                      └──▶ stuck ──retry, skip, resolve──▶ …
   └──▶ stuck ──retry, skip, resolve──▶ running …
"""

from enum import StrEnum

import msgspec

from amends.history import Entry, History

__all__ = ["ENDED", "Entry", "History", "Phase", "SagaState", "Status", "StepState"]


class Status(StrEnum):
    """`STUCK` needs a person; `COMPLETED` and `COMPENSATED` are the two ends."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    COMPLETED = "completed"
    COMPENSATED = "compensated"
    STUCK = "stuck"


ENDED = frozenset({Status.COMPLETED, Status.COMPENSATED})


class Phase(StrEnum):
    """Where one step stands."""

    WAITING = "waiting"  # not asked yet
    ASKED = "asked"  # asked; no terminal answer yet
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"  # best effort: given up, recorded, the saga goes on
    UNDOING = "undoing"  # its compensation was asked
    UNDONE = "undone"
    STUCK = "stuck"  # needs a person
    SKIPPED = "skipped"  # a person gave it up
    RESOLVED = "resolved"  # a person has done it by hand


class StepState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a step stands, since `at`.

    `attempts` counts the asks of the present operation; `due` is the Unix time at which patience ends; `reply` is the
    answer as JSON, kept when it says more than done; `again`: a person has it asked anew, although it was refused.
    """

    phase: Phase = Phase.WAITING
    attempts: int = 0
    at: float = 0.0
    due: float | None = None
    reply: bytes | None = None
    again: bool = False


class SagaState(msgspec.Struct, frozen=True, gc=False):
    """`group` is the group of steps at work (−1: all undone); `cause` says why the saga turned back."""

    status: Status
    backward: bool
    group: int
    deadline: float
    cause: str
    steps: tuple[StepState, ...]
    history: History
