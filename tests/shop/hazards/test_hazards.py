"""Each hazard of the shop's edges, met."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.shop.hazards import files, keys, rest, tokens, trust

SCENARIOS = [*keys.SCENARIOS, *trust.SCENARIOS, *tokens.SCENARIOS, *rest.SCENARIOS, *files.SCENARIOS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_hazard_is_met(scenario: Callable[[Path], Awaitable[None]], tmp_path: Path) -> None:
    await scenario(tmp_path)
