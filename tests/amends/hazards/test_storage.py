"""Each hazard of SQLite and of idempotency keys, met."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.amends.hazards import storage


@pytest.mark.parametrize("scenario", storage.SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_hazard_is_met(scenario: Callable[[Path], Awaitable[None]], tmp_path: Path) -> None:
    await scenario(tmp_path)
