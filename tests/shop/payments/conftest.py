from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shop.payments.gateway import GatewaySettings
from tests.shop.payments.card_room import TIMEOUT_S, CardRoom, GatewayServer


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayServer]:
    server = GatewayServer(tmp_path, GatewaySettings(slow_s=TIMEOUT_S / 5, late_s=TIMEOUT_S * 2))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def room(tmp_path: Path, gateway: GatewayServer) -> AsyncIterator[CardRoom]:
    made = CardRoom(tmp_path, gateway.url)
    await made.start()
    yield made
    await made.stop()
