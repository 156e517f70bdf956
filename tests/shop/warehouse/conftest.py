import pytest

from shop.warehouse.participant import warehouse as participant
from shop.warehouse.tables import MIGRATIONS
from tests.shop.conftest import AskedRoom, OpenRoom


@pytest.fixture
async def warehouse(open_room: OpenRoom) -> AskedRoom:
    return await open_room(participant, MIGRATIONS)
