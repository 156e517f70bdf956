"""What is told of one key is heard in the order of being told, as long as its way keeps that order."""

from dataclasses import replace

import pytest

from amends.testing.scenarios import play
from tests.simulation.bells import IN_ORDER

FAULTS = {
    "failures": {"participant fails": 0.4, "commit refused": 0.2},
    "commits that did not take place": {"commit lost before": 0.5},
    "commits that nobody heard of": {"commit lost after": 0.5},
    "crashes": {"crash": 3.0},
    "freezes": {"freeze": 2.0},
    "copies": {"message copied": 0.6},
}


@pytest.mark.parametrize("kind", FAULTS)
def test_events_of_one_key_are_heard_in_order(kind: str) -> None:
    assert not _failing_seeds(FAULTS[kind], 15)


def _failing_seeds(faults: dict[str, float], seeds: int) -> list[int]:
    scenario = replace(IN_ORDER, faults=faults)
    return [seed for seed in range(seeds) if play(scenario, seed).violations]
