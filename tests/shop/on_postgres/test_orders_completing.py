import pytest

from tests.shop.orders.test_completing import *  # noqa: F403

pytestmark = pytest.mark.servers
