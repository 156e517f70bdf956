"""Each hazard of sagas and participants, met; with every message delivered once, and twice."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.amends.hazards import sagas, trouble, votes

SCENARIOS = sagas.SCENARIOS + trouble.SCENARIOS + votes.SCENARIOS


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_hazard_is_met(scenario: Callable[[Path, bool], Awaitable[None]], twice: bool, tmp_path: Path) -> None:
    await scenario(tmp_path, twice)
