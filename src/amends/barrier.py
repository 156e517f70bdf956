"""The barrier: what a participant does with a command, given what it has already done. Pure.

One row per (saga, step, operation), written in the transaction of the effect, holds the reply. After the barrier of dtm
(Y. Fu, "dtm", 2021): three anomalies of compensation solved by looking at two rows.

| operation    | its own row | the action's row   | verdict                                              |
|--------------|-------------|--------------------|------------------------------------------------------|
| action       | none        |                    | run                                                  |
| action       | reply       |                    | the stored reply again                               |
| action       | tombstone   |                    | refused: already compensated                         |
| any          | pending     |                    | silence: the reply comes when it is known            |
| compensation | none        | none               | nothing to undo; a tombstone stays for the action    |
| compensation | none        | none, as it began  | run: the step was done by who began the saga         |
| compensation | none        | refused, tombstone | nothing to undo                                      |
| compensation | none        | done, pending      | run                                                  |
| compensation | reply       |                    | the stored reply again                               |
"""

from collections.abc import Mapping
from enum import Enum

from amends.messages import AlreadyCompensated, Done, Envelope, Expired, Operation, Outcome, encode, type_name
from amends.pages import BarrierKey, BarrierRow

TOMBSTONE = BarrierRow(Outcome.REFUSED, type_name(AlreadyCompensated), encode(AlreadyCompensated()))
TOO_LATE = BarrierRow(Outcome.REFUSED, type_name(Expired), encode(Expired()))
NOTHING_TO_UNDO = BarrierRow(Outcome.DONE, type_name(Done), encode(Done()))


class Verdict(Enum):
    RUN = "run"
    REPEAT = "repeat"
    SILENCE = "silence"
    BURY = "bury"
    NOTHING = "nothing"
    LATE = "late"


def judge(
    envelope: Envelope, known: Mapping[BarrierKey, BarrierRow], now: float, key: BarrierKey | None = None
) -> Verdict:
    """What to do with a command; `known` holds the rows of its saga, `now` is Unix time in seconds."""
    own = known.get(key or key_of(envelope))
    if own is not None:
        return _seen(envelope, own)
    if envelope.operation is Operation.ACTION:
        expired = envelope.deadline is not None and now > envelope.deadline
        return Verdict.LATE if expired else Verdict.RUN
    action = known.get(BarrierKey(envelope.saga, envelope.step, Operation.ACTION))
    if action is None:
        return Verdict.RUN if envelope.begun else Verdict.BURY
    return Verdict.NOTHING if action.outcome is Outcome.REFUSED else Verdict.RUN


def _seen(envelope: Envelope, own: BarrierRow) -> Verdict:
    if own.outcome is None:
        return Verdict.SILENCE
    refused = own.outcome is Outcome.REFUSED and own != TOMBSTONE
    return Verdict.RUN if envelope.again and refused else Verdict.REPEAT


def key_of(envelope: Envelope) -> BarrierKey:
    """An event's barrier is its own id: heard once."""
    if envelope.step:
        return BarrierKey(envelope.saga, envelope.step, envelope.operation)
    return BarrierKey(envelope.id, envelope.type, Operation.ACTION)
