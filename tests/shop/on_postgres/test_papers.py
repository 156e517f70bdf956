import pytest

from tests.shop.test_papers import *  # noqa: F403

pytestmark = pytest.mark.servers
