"""Everything that Amends raises.

A participant's *refusal* is not here: a refusal is a value (`amends.Refusal`), never an exception.

    AmendsError
    ├── DefinitionError        a saga, a participant or a contract is declared wrongly; raised at import
    ├── UnknownMessage         a message of a type that nobody here handles; parked
    ├── TryAgain               a handler can't answer now: rolled back, asked again after a pause
    ├── Fenced                 another coordinator has taken over; this one must stop writing
    ├── Elsewhere              another process coordinates the saga, or this one none yet; ask again
    ├── Conflict               a row changed underneath a guarded write; the hop is tried again
    ├── Overloaded             too many sagas in flight; come back after `retry_after_s`
    ├── UnknownVersion         sagas in flight follow a definition that this program does not have
    ├── CannotMend             an operator's action is impossible in the state that the saga is in
    ├── KeyReused              an idempotency key came again with another request
    ├── KeyInUse               the first request with this idempotency key still runs
    ├── MissingTopics          the broker lacks topics that a service reads or writes
    ├── CaptureFailed          a change data capture, or its slot, does not do what it is told
    └── StorageError
        ├── WrongSchema        the database has another schema version than this program
        ├── InUse              another process owns the data folder
        ├── TryTransactionAgain  the database gave a transaction up for others' sake: the hop is tried again
        └── Unavailable        the database can't be reached; tried again until it can
            └── CommitUnknown  it went away during a commit: look again whether it took place
"""


class AmendsError(Exception):
    """The root of the tree."""


class DefinitionError(AmendsError):
    """Names the saga, the step and the mend."""


class UnknownMessage(AmendsError):
    """Names the type and the address that got it."""


class TryAgain(AmendsError):
    """Raised by a handler that can't answer now. Nothing that it wrote stays."""


class Fenced(AmendsError):
    """Another coordinator holds a higher epoch."""


class Elsewhere(AmendsError):
    """Names the shard that this process does not hold."""


class Conflict(AmendsError):
    """A guarded write found its row changed."""


class Overloaded(AmendsError):
    """Too much in flight; `retry_after_s` is a hint in seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnknownVersion(AmendsError):
    """Names the sagas in flight whose definition is missing."""


class CannotMend(AmendsError):
    """Says why a retry, skip, resolve or cancel is impossible."""


class KeyReused(AmendsError):
    """The same idempotency key with another body."""


class KeyInUse(AmendsError):
    """The first request with the key still runs; `retry_after_s` is when its lease ends, in seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class MissingTopics(AmendsError):
    """Names the topics."""


class CaptureFailed(AmendsError):
    """Names the connector, the slot or the messages."""


class StorageError(AmendsError):
    """The database is not as it has to be."""


class WrongSchema(StorageError):
    """Names the database, its version and the one that this program knows."""


class InUse(StorageError):
    """Names the folder that another process owns."""


class TryTransactionAgain(StorageError):
    """A deadlock or a serialization failure; nothing of the transaction stays."""


class Unavailable(StorageError):
    """The database is away; nothing of the transaction stays."""


class CommitUnknown(Unavailable):
    """The connection was lost during the commit. Who tries the same again finds out by its ids."""
