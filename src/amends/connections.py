"""How statements reach a database: a reader of a snapshot, and an open transaction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

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


class Tx(Reader, Protocol):
    """An open local transaction of one database; `now` is the time of its hop, in Unix seconds."""

    now: float

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
