"""Every rule of a capture taken out, one at a time: the scenario that guards it has to notice."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.amends.cdc import ablations as without
from tests.amends.cdc import scenarios
from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.town import Servers
from tests.amends.hazards.ablations import no_barrier

pytestmark = pytest.mark.servers

servers = fixtures.servers
Patch = pytest.MonkeyPatch


class Ablation(NamedTuple):
    """A rule's absence, the scenario that has to notice it, and what it says then."""

    scenario: Callable[[Servers, Path], Awaitable[None]]
    take_out: Callable[[Patch], None]
    says: str


ABLATIONS = [
    Ablation(scenarios.quiet_outbox, without.no_heartbeat, "the slot moves although its outbox is quiet"),
    Ablation(scenarios.resent, no_barrier, "heard twice"),
    Ablation(scenarios.lost_slot, without.rows_are_not_kept, r"not each once, in order: \[1, 2, (?!3,)"),
]


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.take_out.__name__)
async def test_scenario_notices_that_its_rule_is_gone(
    ablation: Ablation, servers: Servers, tmp_path: Path, monkeypatch: Patch
) -> None:
    ablation.take_out(monkeypatch)
    with pytest.raises(AssertionError, match=ablation.says):
        await ablation.scenario(servers, tmp_path)
