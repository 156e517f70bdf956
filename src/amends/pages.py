"""The pages of a service's database: the library's own tables, as an adapter has to keep them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from amends.connections import Reader, Tx
from amends.messages import Envelope, MessageId, Operation, Outcome, SagaId
from amends.state import SagaState, Status


class Instance(NamedTuple):
    """A saga as stored.

    `revision` counts its writes; `wake_at` is when a timer of its is due, or None; `shard` says which coordinator
    process looks after it.
    """

    id: SagaId
    name: str
    version: str
    input: bytes
    state: SagaState
    revision: int
    wake_at: float | None
    traceparent: str
    started_at: float
    shard: int = 0

    def moved(self, state: SagaState, wake_at: float | None) -> "Instance":
        """The same one write later."""
        id, name, version, input, _, revision, _, traceparent, started_at, shard = self
        return Instance(id, name, version, input, state, revision + 1, wake_at, traceparent, started_at, shard)


class Change(NamedTuple):
    """An instance as it was loaded, and as it has to be."""

    before: Instance
    after: Instance


class SagaFilter(NamedTuple):
    """What an operator looks for; `before` is a cursor: ids below it. None: any."""

    status: str | None = None
    name: str | None = None
    started_before: float | None = None
    before: str | None = None
    limit: int = 50


class Sagas(Protocol):
    """The page `sagas`."""

    async def insert(self, tx: Tx, instances: Sequence[Instance]) -> None: ...

    async def load(self, tx: Reader, ids: Sequence[SagaId]) -> dict[SagaId, Instance]: ...

    async def save(self, tx: Tx, changes: Sequence[Change]) -> None:
        """Writes each whose stored revision is still the one before; raises `Conflict` otherwise."""

    async def due(self, tx: Tx, shards: Sequence[int], limit: int) -> list[Instance]:
        """Sagas of these shards whose timer is due at `tx.now`, the longest due first."""

    async def in_flight(self, tx: Reader, shards: Sequence[int] | None = None) -> list[Instance]:
        """Every saga, of these shards, that has not ended, stuck ones included, oldest first."""

    async def find(self, tx: Reader, wanted: SagaFilter) -> list[Instance]:
        """Newest first."""

    async def count(self, tx: Reader) -> dict[Status, int]:
        """How many have not ended, stuck ones included, by status; one that none has is left out."""


class Backlog(NamedTuple):
    """What is left in an outbox: its rows, and when the oldest was put in, in Unix seconds; None: there is none.

    To be claimed does not make a row younger.
    """

    rows: int
    oldest_at: float | None


class Outbox(Protocol):
    """The page `outbox`."""

    async def insert(self, tx: Tx, envelopes: Sequence[Envelope], taken: Sequence[MessageId] = ()) -> None:
        """Puts messages in, and removes others, which the transport has taken."""

    async def remove(self, tx: Tx, ids: Sequence[MessageId]) -> None: ...

    async def unsent(self, tx: Reader, before: float, limit: int) -> list[Envelope]:
        """Messages put in at or before the Unix time `before`, in the order in which they were put in."""

    async def left_of(self, tx: Reader, firsts: Sequence[MessageId]) -> list[Envelope]:
        """Messages of the transactions that put these in first; of one that did not commit there are none."""

    async def under_way(self, tx: Reader, firsts: Sequence[MessageId]) -> set[MessageId]:
        """Those of them whose transactions may still commit: the server is at it, for who has lost its connection."""

    async def claim(self, tx: Tx, before: float, limit: int) -> list[Envelope]:
        """As `unsent`, for who sends them: they count as put in at `tx.now`, so no other process sends them, too."""

    async def backlog(self, tx: Reader) -> Backlog:
        """What the transport has not taken yet, or what was taken and is not removed yet."""


class BarrierKey(NamedTuple):
    saga: str
    step: str
    operation: Operation


class BarrierRow(NamedTuple):
    """An operation already seen. `outcome` None: carried out later. `type` "" and DONE: a tombstone."""

    outcome: Outcome | None
    type: str
    payload: bytes
    ask: Envelope | None = None


class Seen(NamedTuple):
    """The highest epoch seen of each coordinator that was seen; the operations seen of some sagas."""

    epochs: dict[str, int]
    operations: dict[BarrierKey, BarrierRow]


class Inbox(Protocol):
    """The page `inbox`: the barrier, and the highest epoch seen of each coordinator."""

    async def known(self, tx: Reader, sagas: Sequence[str]) -> dict[BarrierKey, BarrierRow]: ...

    async def insert(self, tx: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        """Raises `Conflict` when one of them is there already."""

    async def replace(self, tx: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None: ...

    async def seen(self, tx: Tx, coordinators: Sequence[str], sagas: Sequence[str]) -> Seen:
        """Of these coordinators and sagas; the sagas' rows as `known` has them."""

    async def raise_epochs(self, tx: Tx, epochs: Mapping[str, int]) -> None:
        """Notes them; one that is higher already stays."""


class Leases(Protocol):
    """The page `leases`: who coordinates."""

    async def acquire(self, tx: Tx, names: Sequence[str], holder: str) -> dict[str, int]:
        """Takes leases over, once those who hold them have ended their transactions; returns the new epochs."""

    async def epochs(self, tx: Reader, names: Sequence[str]) -> dict[str, int]:
        """The epoch of each lease that was ever taken."""

    async def hold(self, tx: Tx, names: Sequence[str]) -> dict[str, int]:
        """The same, and nobody takes one of them over before this transaction has ended."""


class Parked(NamedTuple):
    """A message set aside. `retry_at` None: given up, a person is needed."""

    envelope: Envelope
    error: str
    attempts: int
    retry_at: float | None
    parked_at: float


class SetAside(NamedTuple):
    """How many messages are set aside: `parked` ones need a person, `deferred` ones are tried again or wait."""

    parked: int
    deferred: int


class Parking(Protocol):
    """The page `parked`."""

    async def insert(self, tx: Tx, rows: Sequence[Parked]) -> None: ...

    async def update(self, tx: Tx, row: Parked) -> None: ...

    async def remove(self, tx: Tx, ids: Sequence[str]) -> None: ...

    async def all(self, tx: Reader, limit: int) -> list[Parked]:
        """In the order in which they came."""

    async def count(self, tx: Reader) -> SetAside: ...


class StoredAnswer(NamedTuple):
    """What an idempotency key answers. `status` 0: the first request still runs, until `lease_until`."""

    fingerprint: bytes
    status: int
    headers: bytes
    body: bytes
    lease_until: float


class KeyScope(NamedTuple):
    """An idempotency key belongs to one principal, method and route."""

    principal: str
    method: str
    route: str
    key: str


class Keys(Protocol):
    """The page `idempotency_keys`."""

    async def known(self, tx: Reader, scopes: Sequence[KeyScope]) -> dict[KeyScope, StoredAnswer]: ...

    async def insert(self, tx: Tx, rows: Sequence[tuple[KeyScope, StoredAnswer]]) -> None:
        """Raises `Conflict` when one of them is there already."""

    async def replace(self, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> None: ...

    async def remove_before(self, tx: Tx, created_before: float) -> int: ...


class Mend(NamedTuple):
    """An operator's action on a saga, asked for and recorded. `applied_at` None: not carried out yet."""

    id: str
    saga: SagaId
    step: str
    action: str
    who: str
    why: str
    asked_at: float
    applied_at: float | None = None
    result: str = ""


class Mends(Protocol):
    """The page `mends`."""

    async def insert(self, tx: Tx, mend: Mend) -> None: ...

    async def waiting(self, tx: Reader, limit: int) -> list[Mend]: ...

    async def close(self, tx: Tx, id: str, result: str) -> None: ...

    async def of_saga(self, tx: Reader, saga: SagaId) -> list[Mend]: ...
