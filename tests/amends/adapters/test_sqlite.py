"""SQLite passes the storage suites."""

from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.adapters.sqlite.connection import connect
from amends.conformance import fixtures, messages_suite, pages_suite, sagas_suite, transactions_suite
from amends.schema import Migration

storage = fixtures.storage
TestSagas = sagas_suite.TestSagas
TestOutbox = messages_suite.TestOutbox
TestInbox = messages_suite.TestInbox
TestLeases = pages_suite.TestLeases
TestParking = pages_suite.TestParking
TestKeys = pages_suite.TestKeys
TestMends = pages_suite.TestMends
TestTransactions = transactions_suite.TestTransactions
TestStatements = transactions_suite.TestStatements
TestMigrations = transactions_suite.TestMigrations


@pytest.fixture
def open_storage(tmp_path: Path) -> fixtures.OpenStorage:
    async def open(migrations: Sequence[Migration]) -> SqliteStorage:
        return SqliteStorage(tmp_path / "conformance.db", migrations)

    return open


def test_plans_do_not_depend_on_values(tmp_path: Path) -> None:
    """Otherwise the statement that looks for due sagas, of a table with a partial index, is prepared anew each time."""
    connection = connect(tmp_path / "a.db")
    connection.execute("create table a (b real); create index c on a (b) where b is not null").fetchall()

    assert connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, -1) == 1
    plan = connection.execute("explain query plan select b from a where b <= :b", (1.0,)).fetchall()
    assert "USING COVERING INDEX c" in str(plan[0][3])
