"""Fixtures: the session's servers, and a town on them. To take over by name."""

from collections.abc import AsyncIterator

import pytest

from tests.amends.cdc.town import Servers, Town, bank, mail, town_on
from tests.servers import PostgresServer
from tools.servers import Connect, Kafka

VERSION = 16


@pytest.fixture
async def servers(
    postgres_server: PostgresServer, kafka_server: Kafka, connect_server: Connect, request: pytest.FixtureRequest
) -> Servers:
    """A parameter is PostgreSQL's version."""
    return Servers(await postgres_server(getattr(request, "param", VERSION)), kafka_server, connect_server)


@pytest.fixture
async def town(servers: Servers) -> AsyncIterator[Town]:
    """A captured bank, and a mail room that listens to it."""
    async with town_on(servers) as town:
        await town.room("mail", mail(), captured=False)
        await town.room("bank", bank())
        yield town
