"""Fixtures that every test may use."""

import pytest

from tests.servers import connect_server, kafka_server, postgres_server

__all__ = ["connect_server", "kafka_server", "postgres_server"]

pytest.register_assert_rewrite("amends.conformance", "tests.amends.hazards")
# Those whose tests run once more on PostgreSQL: before any of them is imported.
pytest.register_assert_rewrite("tests.shop.billing", "tests.shop.delivery", "tests.shop.warehouse")
