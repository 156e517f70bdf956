"""Looks into a shop's orders database from outside, on SQLite or on PostgreSQL."""

from pathlib import Path
from typing import Any, Protocol

import psycopg

from amends.adapters.sqlite.connection import connect


class Look(Protocol):
    def fetch(self, sql: str, *params: str) -> list[Any]:
        """Rows of a statement with `?` for each parameter."""


class InFile:
    """`orders.db` of a data folder; opened for each look, the shop writes meanwhile."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def fetch(self, sql: str, *params: str) -> list[Any]:
        orders = connect(self._data / "orders.db", readonly=True)
        try:
            return orders.execute(sql, params).fetchall()
        finally:
            orders.close()


class OnServer:
    """The database of `dsn`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def fetch(self, sql: str, *params: str) -> list[Any]:
        with psycopg.connect(self._dsn) as connection:
            return connection.execute(sql.replace("?", "%s").encode(), params).fetchall()
