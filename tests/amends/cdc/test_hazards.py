"""Each hazard of a capture, met."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.amends.cdc import scenarios
from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.town import Servers

pytestmark = pytest.mark.servers

servers = fixtures.servers
Scenario = Callable[[Servers, Path], Awaitable[None]]


@pytest.mark.parametrize(
    "scenario", [scenarios.quiet_outbox, scenarios.resent, scenarios.lost_slot], ids=lambda each: each.__name__
)
async def test_hazard_is_met(scenario: Scenario, servers: Servers, tmp_path: Path) -> None:
    await scenario(servers, tmp_path)
