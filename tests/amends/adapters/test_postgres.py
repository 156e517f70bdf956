"""PostgreSQL passes the storage suites, in every version that can run here."""

from collections.abc import AsyncIterator, Sequence

import pytest

from amends.adapters.postgres import PostgresStorage
from amends.conformance import fixtures, messages_suite, pages_suite, sagas_suite, transactions_suite
from amends.schema import Migration
from tests.servers import PostgresServer, fresh_database

pytestmark = pytest.mark.servers

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


@pytest.fixture(params=[15, 18], ids=lambda version: f"postgres-{version}")
async def open_storage(
    postgres_server: PostgresServer, request: pytest.FixtureRequest
) -> AsyncIterator[fixtures.OpenStorage]:
    async with fresh_database(await postgres_server(request.param)) as dsn:

        async def open(migrations: Sequence[Migration]) -> PostgresStorage:
            return PostgresStorage(dsn, migrations)

        yield open
