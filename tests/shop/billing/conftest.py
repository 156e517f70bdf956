import pytest

from shop.billing.participant import billing as participant
from shop.billing.tables import MIGRATIONS
from tests.shop.conftest import AskedRoom, OpenRoom


@pytest.fixture
async def billing(open_room: OpenRoom) -> AskedRoom:
    return await open_room(participant, MIGRATIONS)
