"""The embedded shop on the simulated disk: power cuts, failing syncs, no room, and it keeps its promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amends.testing.machines import HIGHEST_ON_DISK
from tests.simulation import soak
from tests.simulation.shop_disk import FAILING, RULES, Rule, play_without, prepare
from tests.simulation.shop_homes import ON_DISK
from tests.simulation.shop_rules import couriers_are_unbooked
from tests.simulation.shop_world import HIGHEST_HERE, Outcomes, play

SEEDS = int(os.environ.get("AMENDS_SIM_DISK_SEEDS", "12"))
_MOST = 40
_ROOT = Path(__file__).parents[2]
_DIGEST = """
from tests.simulation.shop_homes import ON_DISK
from tests.simulation.shop_world import play
print(play({seed}, shape=ON_DISK, rates={rates}).record.digest())
"""


def told(outcomes: Outcomes) -> str:
    """What failed, and how to see it again."""
    lines = [f"{each.what}: {each.detail}" for each in outcomes.violations]
    return "\n".join([f"python -m tests.simulation.soak --disk --seed {outcomes.seed}", *lines])


@pytest.mark.timeout(600)
def test_shop_keeps_its_promises_whatever_the_disk_does() -> None:
    for seed in range(SEEDS):
        outcomes = play(seed, shape=ON_DISK)
        assert not outcomes.violations, told(outcomes)


def test_shop_on_a_disk_without_faults_does_what_is_asked() -> None:
    outcomes = play(3, rates={}, shape=ON_DISK)

    assert not outcomes.violations, told(outcomes)
    assert not outcomes.faults
    assert outcomes.ended["approved"] > 5


def test_every_kind_of_fault_of_a_disk_happens() -> None:
    happened = set[str]()
    for seed in range(20):
        outcomes = play(seed, rates=HIGHEST_ON_DISK, orders=5, shape=ON_DISK)
        assert not outcomes.violations, told(outcomes)
        happened |= set(outcomes.faults)
        if happened == set(HIGHEST_ON_DISK):
            break

    assert happened == set(HIGHEST_ON_DISK)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.taken_out.__name__)
def test_missing_rule_of_the_disk_is_noticed(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 0 is left out: without any sync it never comes to rest, and takes half a minute to say so."""
    prepare()
    assert not play_without(rule, 1).violations
    rule.taken_out(monkeypatch)

    assert any(play_without(rule, seed).violations for seed in range(1, _MOST)), rule.taken_out.__name__


def test_same_seed_on_a_disk_is_the_same_run_in_every_process() -> None:
    rates = {kind: most / 3 for kind, most in {**HIGHEST_HERE, **HIGHEST_ON_DISK, **FAILING}.items()}
    seed = 4
    here = play(seed, shape=ON_DISK, rates=rates)

    assert set(FAILING) <= set(here.faults)
    assert play(seed, shape=ON_DISK, rates=rates).record.digest() == here.record.digest()
    assert _digest_elsewhere(seed, rates, "1") == _digest_elsewhere(seed, rates, "2") == here.record.digest()


def test_failing_seed_on_a_disk_is_made_short_and_shown_again_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    couriers_are_unbooked(monkeypatch)
    failing = next(seed for seed in range(_MOST) if play(seed, shape=ON_DISK).violations)

    tally = soak.run_seeds([failing], tmp_path, 5.0, disk=True)

    assert tally.replays[failing].startswith(f"python -m tests.simulation.soak --disk --seed {failing} --orders ")
    assert list(tmp_path.iterdir())


def _digest_elsewhere(seed: int, rates: dict[str, float], hash_seed: str) -> str:
    told = subprocess.run(
        [sys.executable, "-c", _DIGEST.format(seed=seed, rates=rates)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{_ROOT}/src:{_ROOT}"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()
