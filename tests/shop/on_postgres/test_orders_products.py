import pytest

from tests.shop.orders.test_products import *  # noqa: F403

pytestmark = pytest.mark.servers
