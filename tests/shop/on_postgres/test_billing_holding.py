import pytest

from tests.shop.billing.conftest import *  # noqa: F403
from tests.shop.billing.test_holding import *  # noqa: F403

pytestmark = pytest.mark.servers
