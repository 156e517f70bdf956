"""What the core needs of the world. Adapters give it; the simulator gives it too."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

from amends.connections import Reader, Tx
from amends.messages import Envelope, MessageId, SagaId
from amends.pages import Inbox, Keys, Leases, Mends, Outbox, Parking, Sagas

T = TypeVar("T")


class Task(Protocol):
    """Work that runs beside others."""

    def cancel(self) -> object: ...

    async def join(self) -> None:
        """Waits until it has ended; raises what it raised, but not that it was cancelled."""


class Signal(Protocol):
    """Wakes who waits; stays set until it is cleared."""

    def set(self) -> None: ...

    def clear(self) -> None: ...

    async def wait(self) -> object: ...


class Runtime(Protocol):
    """Time, chance, ids and the life of tasks."""

    def now(self) -> float:
        """Unix time in seconds."""

    async def sleep(self, seconds: float) -> None: ...

    async def within(self, seconds: float, work: Awaitable[T]) -> T | None:
        """The result of `work`, or None when it takes longer; `work` is cancelled then."""

    def signal(self) -> Signal: ...

    def roll(self) -> float:
        """A random number in [0, 1)."""

    def new_id(self) -> str:
        """A UUIDv7 that sorts after every one before it."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> Task: ...


class Storage(Protocol):
    """One service's own database."""

    name: str
    sagas: Sagas
    outbox: Outbox
    inbox: Inbox
    leases: Leases
    parking: Parking
    keys: Keys
    mends: Mends

    def transaction(self, now: float) -> AbstractAsyncContextManager[Tx]:
        """Commits at the end of the block, rolls back when it raises."""

    def reading(self) -> AbstractAsyncContextManager[Reader]:
        """A consistent snapshot; sees no uncommitted write."""

    async def migrate(self) -> list[str]:
        """Applies what is missing; returns the names of what it applied. Raises `WrongSchema`."""

    async def close(self) -> None: ...


Taken = Callable[[Sequence[MessageId]], None]


class ShardOwner(Protocol):
    """Whoever reads shards of an address: is told which, before their first message and after their last."""

    async def gained(self, shards: Sequence[int]) -> None: ...

    async def lost(self, shards: Sequence[int]) -> None: ...


class Subscription(Protocol):
    """A reader of an address: of all its shards, or of those that the other readers don't have."""

    async def open(self, owner: ShardOwner) -> None:
        """Begins to read. `owner` may be told of shards now or later, and again whenever they move."""

    async def receive(self, most: int) -> Sequence[Envelope]:
        """Waits until there is something, then returns what has arrived, at most `most`.

        It never waits for more; it may rest after a batch that was acknowledged before it gives another.
        """

    async def acknowledge(self, batch: Sequence[Envelope]) -> None:
        """The batch is durable here and need not come again."""

    def close(self) -> None:
        """`receive` returns at once, with nothing."""


class Transport(Protocol):
    """Carries envelopes, at least once, in order per key."""

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        """Returns at once; calls `taken` with the ids that will not be lost any more."""

    def subscribe(self, address: str, group: str = "") -> Subscription:
        """Reads an address. Who reads a topic of events names its `group`: each group gets every event."""

    def shard_of(self, address: str, key: str) -> int:
        """Which shard of an address the messages of a key go to: one reader at a time has it."""


class Tracer(Protocol):
    """Names the spans that travel, by their `traceparent` (W3C Trace Context); an `Observer` makes them afterwards.

    `parent` is the traceparent of the span above; what is no traceparent counts as none.
    """

    def of_saga(self, saga: SagaId, parent: str) -> str:
        """What a new saga keeps: its parent, or, when there is none, a span of its own."""

    def of_message(self, message: MessageId, parent: str) -> str:
        """What a message carries: the span in which it was made. Its parent is its saga's, or its command's."""
