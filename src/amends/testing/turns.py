"""A client's turn at a simulated database, and what it says in its turn."""

import asyncio
from collections.abc import Sequence

import apsw

from amends.adapters.sqlite.connection import SqliteReader, SqliteTx
from amends.connections import Params, Row
from amends.errors import Unavailable


class Held:
    """The turn of a client. `gone`: the database has taken it away."""

    __slots__ = ("gone", "process", "task", "writes")

    def __init__(self, process: object, task: object) -> None:
        self.process = process
        self.task = task
        self.gone = False
        self.writes = False

    def check(self) -> None:
        if self.gone:
            raise Unavailable("the connection was lost")


class HeldReader(SqliteReader):
    __slots__ = ("_held",)

    def __init__(self, connection: apsw.Connection, held: Held) -> None:
        super().__init__(connection)
        self._held = held

    async def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        self._held.check()
        return await super().fetch(sql, params)

    async def fetch_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        self._held.check()
        return await super().fetch_each(sql, keys)


class HeldTx(SqliteTx):
    """Other tasks get their turn before a statement that writes: there, too, a process may end."""

    __slots__ = ("held", "wrote")

    def __init__(self, connection: apsw.Connection, now: float, held: Held) -> None:
        super().__init__(connection, now)
        self.held = held
        self.wrote = False

    async def fetch(self, sql: str, params: Params = ()) -> list[Row]:
        self.held.check()
        return await super().fetch(sql, params)

    async def fetch_each(self, sql: str, keys: Sequence[str]) -> list[Row]:
        self.held.check()
        return await super().fetch_each(sql, keys)

    async def run(self, sql: str, params: Params = ()) -> int:
        await self._turn()
        return await super().run(sql, params)

    async def run_many(self, sql: str, rows: Sequence[Params]) -> int:
        await self._turn()
        return await super().run_many(sql, rows)

    async def _turn(self) -> None:
        self.wrote = True
        await asyncio.sleep(0)
        self.held.check()
