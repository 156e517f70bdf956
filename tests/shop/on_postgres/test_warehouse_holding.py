import pytest

from tests.shop.warehouse.conftest import *  # noqa: F403
from tests.shop.warehouse.test_holding import *  # noqa: F403

pytestmark = pytest.mark.servers
