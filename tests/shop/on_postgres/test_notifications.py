import pytest

from tests.shop.notifications.conftest import *  # noqa: F403
from tests.shop.notifications.test_notifications import *  # noqa: F403

pytestmark = pytest.mark.servers
