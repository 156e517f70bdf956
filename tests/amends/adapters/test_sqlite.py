"""SQLite passes the storage suites."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.adapters.sqlite import SqliteStorage
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
