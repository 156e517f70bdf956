import pytest

from shop.delivery.participant import delivery as participant
from shop.delivery.tables import MIGRATIONS
from tests.shop.conftest import AskedRoom, OpenRoom


@pytest.fixture
async def delivery(open_room: OpenRoom) -> AskedRoom:
    return await open_room(participant, MIGRATIONS)
