"""How statements reach a database: a reader of a snapshot, and an open transaction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from amends.errors import DefinitionError
from amends.messages import Event

Value = str | int | float | bytes | None
Params = Mapping[str, Value] | Sequence[Value]
Row = tuple[Any, ...]


class Reader(Protocol):
    """Reads one database.

    Statements are static text with `:name` parameters, given as a mapping, or as a sequence in the order in which
    the names first appear.
    """

    async def fetch(self, sql: str, params: Params = ()) -> list[Row]: ...

    async def fetch_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        """Runs `sql`, a plain select, with a table `keys(key)` that holds `keys`, for set-based look-ups."""


class Told(NamedTuple):
    """An event, and the key whose events arrive in order."""

    event: Event
    key: str


class Tx(Reader, Protocol):
    """An open local transaction of one database; `now` is the time of its hop, in Unix seconds.

    `told` are the events that wait for `OutboxRelay.put`, which hops and `Service.transaction` call before the commit.
    A transaction that would end with some left fails instead of losing them.
    """

    now: float
    told: list[Told]

    def tell(self, event: Event, key: str) -> None:
        """Has an event sent when this transaction commits; events of one key arrive in the order of being told."""

    async def run(self, sql: str, params: Params = ()) -> int:
        """Returns how many rows changed."""

    async def run_many(self, sql: str, rows: Sequence[Params]) -> int:
        """Runs `sql`, one insert, update or delete, for every row; returns how many rows changed in all.

        No two rows may be about the same row of the table: an adapter may run them as one statement.
        """

    async def lock_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        """Like `fetch_each`, and nobody else changes the rows found until this transaction has ended.

        They are locked in the order of their keys.
        """

    def after_commit(self, action: Callable[[], None]) -> None:
        """Runs `action` once the commit is durable; never when it is rolled back."""


def untold(tx: Tx) -> DefinitionError:
    """What a storage raises instead of committing a transaction whose events were not put in the outbox."""
    names = ", ".join(sorted({type(each.event).__name__ for each in tx.told}))
    return DefinitionError(f"{names} would be lost: open a transaction that tells events by `Service.transaction`")
