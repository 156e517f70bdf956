import pytest

from tests.shop.delivery.conftest import *  # noqa: F403
from tests.shop.delivery.test_holding import *  # noqa: F403

pytestmark = pytest.mark.servers
