"""The embedded shop on the simulated disk: power cuts, failing syncs, no room, and it keeps its promises."""

import os
from pathlib import Path

import pytest

from amends.testing.machines import HIGHEST_ON_DISK
from tests.simulation import soak
from tests.simulation.shop_disk import FAILING, RULES, Rule, play_without, prepare
from tests.simulation.shop_homes import ON_DISK
from tests.simulation.shop_proofs import every_kind_happens, held, same_in_every_process
from tests.simulation.shop_rules import couriers_are_unbooked
from tests.simulation.shop_world import HIGHEST_HERE, play

SEEDS = int(os.environ.get("AMENDS_SIM_DISK_SEEDS", "12"))
_MOST = 40


@pytest.mark.timeout(600)
def test_shop_keeps_its_promises_whatever_the_disk_does() -> None:
    for seed in range(SEEDS):
        held(seed, shape=ON_DISK)


def test_every_kind_of_fault_of_a_disk_happens() -> None:
    every_kind_happens(HIGHEST_ON_DISK, HIGHEST_ON_DISK, ON_DISK, most=20)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.taken_out.__name__)
def test_missing_rule_of_the_disk_is_noticed(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 0 is left out: without any sync it never comes to rest, and takes half a minute to say so."""
    prepare()
    assert not play_without(rule, 1).violations
    rule.taken_out(monkeypatch)

    assert any(play_without(rule, seed).violations for seed in range(1, _MOST)), rule.taken_out.__name__


def test_same_seed_on_a_disk_is_the_same_run_in_every_process() -> None:
    rates = {kind: most / 3 for kind, most in {**HIGHEST_HERE, **HIGHEST_ON_DISK, **FAILING}.items()}
    outcomes = same_in_every_process(4, rates, on_disk=True)

    assert set(FAILING) <= set(outcomes.faults)


def test_failing_seed_on_a_disk_is_made_short_and_shown_again_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    couriers_are_unbooked(monkeypatch)
    failing = next(seed for seed in range(_MOST) if play(seed, shape=ON_DISK).violations)

    tally = soak.run_seeds([failing], tmp_path, 5.0, disk=True)

    assert tally.replays[failing].startswith(f"python -m tests.simulation.soak --disk --seed {failing} --orders ")
    assert list(tmp_path.iterdir())
