"""Fixtures that every test may use."""

import pytest

pytest.register_assert_rewrite("amends.conformance", "tests.amends.hazards")
