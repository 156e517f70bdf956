import pytest

from shop.notifications.participant import notifications as participant
from shop.notifications.tables import MIGRATIONS
from tests.shop.conftest import AskedRoom, OpenRoom


@pytest.fixture
async def notifications(open_room: OpenRoom) -> AskedRoom:
    return await open_room(participant, MIGRATIONS)
