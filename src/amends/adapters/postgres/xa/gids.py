"""The names of prepared transactions: `amends:<participant>:<saga>:<part>`.

The part is the voter's name: `two_phase` asks for it by the steps `prepare <part>` and `commit <part>`.
"""

from enum import StrEnum

from amends.errors import DefinitionError
from amends.messages import Operation, SagaId
from amends.participant import Asked

MOST_BYTES = 199  # PostgreSQL's own bound
_ID_BYTES = 36
_UNQUOTABLE = ("'", "\\")


class Verb(StrEnum):
    """What is asked about a part of a saga."""

    PREPARE = "prepare"
    COMMIT = "commit"
    ABORT = "abort"


_ASKED_AS = {
    Verb.PREPARE: ("prepare ", Operation.ACTION),
    Verb.COMMIT: ("commit ", Operation.ACTION),
    Verb.ABORT: ("prepare ", Operation.COMPENSATION),
}


def prefix_of(participant: str) -> str:
    """How the names of all transactions of a participant begin. Raises `DefinitionError`."""
    prefix = f"amends:{participant}:"
    if ":" in participant or not _quotable(prefix):
        raise DefinitionError(f"participant {participant!r}: for XA, a name has no colon, quote or backslash")
    if len(prefix.encode()) + _ID_BYTES + 2 > MOST_BYTES:
        raise DefinitionError(f"participant {participant!r}: too long for XA, transactions have names of 199 bytes")
    return prefix


def gid_of(participant: str, verb: Verb, asked: Asked) -> str:
    """The name of the transaction that a command is about. Raises `DefinitionError`."""
    step, operation = _ASKED_AS[verb]
    if not asked.step.startswith(step) or asked.operation != operation:
        raise DefinitionError(
            f"participant {participant!r}: step {asked.step!r} ({asked.operation}) of saga {asked.saga} sends the "
            f"command to {verb}: bind XA's commands to the voters of `two_phase`, each to its own place"
        )
    gid = f"{prefix_of(participant)}{asked.saga}:{asked.step.removeprefix(step)}"
    if len(gid.encode()) > MOST_BYTES:
        raise DefinitionError(f"{gid!r} has {len(gid.encode())} bytes, PostgreSQL takes 199: shorten the voter's name")
    if ":" in asked.saga or not _quotable(gid):
        raise DefinitionError(f"{gid!r}: for XA, a saga's id has no colon, and nothing has a quote or backslash")
    return gid


def saga_of(participant: str, gid: str) -> SagaId:
    return SagaId(gid.removeprefix(prefix_of(participant)).partition(":")[0])


def _quotable(text: str) -> bool:
    """It stands in statements as a literal: PostgreSQL takes no parameter there."""
    return text.isprintable() and not any(each in text for each in _UNQUOTABLE)
