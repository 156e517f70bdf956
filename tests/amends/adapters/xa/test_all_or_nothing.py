"""Two-phase commit by prepared transactions: all or nothing over two databases, whoever is killed when."""

from collections.abc import AsyncIterator

import pytest

from tests.amends.adapters.xa.scenarios import SCENARIOS, Scenario
from tests.amends.adapters.xa.travel import Travel, databases
from tests.servers import PostgresServer

pytestmark = pytest.mark.servers


@pytest.fixture(params=[15, 18], ids=lambda version: f"postgres-{version}")
async def travel(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> AsyncIterator[Travel]:
    async with Travel(await databases(await postgres_server(request.param))) as travel:
        yield travel


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_all_or_nothing(travel: Travel, scenario: Scenario) -> None:
    await scenario(travel)
