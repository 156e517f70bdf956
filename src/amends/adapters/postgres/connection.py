"""One connection in a transaction: statements in, rows out."""

from collections.abc import Callable, Sequence

from amends.adapters.postgres.failures import asked
from amends.adapters.postgres.pool import Connection
from amends.adapters.postgres.sets import on_sets
from amends.adapters.postgres.statements import Statement, each, locked, numbered
from amends.connections import Params, Reader, Row, Told, Value
from amends.messages import Event

_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")


class PostgresReader:
    """A `Reader`."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        statement = numbered(sql)
        return await self._fetch(statement, statement.arguments(params))

    async def fetch_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        return await self._fetch(each(sql), (_possible(keys),))

    async def fetch_sets(self, sql: str, *arguments: Value | list[str]) -> list[Row]:
        """Arguments in the order of the names' first use; keys are lists, each for a table of `keys_named`."""
        possible = [_possible(each) if isinstance(each, list) else each for each in arguments]
        return await self._fetch(numbered(sql), possible)

    async def _fetch(self, statement: Statement, arguments: Sequence[Value | Sequence[str]]) -> list[Row]:
        records = await asked(self.connection, self.connection.fetch, statement.text, *arguments)
        return [tuple(record) for record in records]


class Sets:
    """The statements of one database that run on sets, derived when they are first used."""

    def __init__(self) -> None:
        self._known: dict[str, str | None] = {}

    async def derived(self, sql: str, connection: Connection) -> str | None:
        """None for a statement that can't be derived. The database says of which types its parameters are."""
        if sql not in self._known:
            single = await asked(connection, connection.prepare, numbered(sql).text)
            self._known[sql] = on_sets(sql, [type.name for type in single.get_parameters()])
        return self._known[sql]


class PostgresTx(PostgresReader):
    """A `Tx`."""

    __slots__ = ("_sets", "actions", "now", "told")

    def __init__(self, connection: Connection, sets: Sets, now: float) -> None:
        super().__init__(connection)
        self._sets = sets
        self.now = now
        self.actions: list[Callable[[], None]] = []
        self.told: list[Told] = []

    def tell(self, event: Event, key: str) -> None:
        self.told.append(Told(event, key))

    async def run(self, sql: str, params: Params = ()) -> int:
        statement = numbered(sql)
        return await self._run(statement.text, statement.arguments(params))

    async def run_many(self, sql: str, rows: Sequence[Params]) -> int:
        """One statement for all rows; one by one where there is only one, or none can be derived."""
        on_sets = await self._sets.derived(sql, self.connection) if len(rows) > 1 else None
        if on_sets is None:
            return sum([await self.run(sql, row) for row in rows])
        statement = numbered(sql)
        return await self._run(on_sets, list(zip(*[statement.arguments(row) for row in rows], strict=True)))

    async def lock_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        return await self._fetch(locked(sql), (sorted({*_possible(keys)}),))

    def after_commit(self, action: Callable[[], None]) -> None:
        self.actions.append(action)

    async def _run(self, text: str, arguments: Sequence[Value | Sequence[Value]]) -> int:
        return changed(await asked(self.connection, self.connection.execute, text, *arguments))


def _possible(keys: Sequence[str]) -> list[str]:
    """PostgreSQL's text can't hold the character zero: nothing with it in its key can be there."""
    return [key for key in keys if "\0" not in key]


async def look_up(tx: Reader, sql: str, keys: Sequence[str]) -> list[Row]:
    """`lock_each` in a transaction, `fetch_each` in a reader: who looks in order to write is not overtaken."""
    return await (tx.lock_each(sql, keys) if isinstance(tx, PostgresTx) else tx.fetch_each(sql, keys))


def changed(status: str) -> int:
    """
    >>> changed("INSERT 0 3"), changed("CREATE TABLE")
    (3, 0)
    """
    verb, _, count = status.rpartition(" ")
    return int(count) if verb.startswith(_WRITES) else 0
