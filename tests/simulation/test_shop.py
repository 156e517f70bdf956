"""The whole shop in worlds that fail by seed: nothing is lost, nothing is done twice, and everything ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.shop_homes import APART, EMBEDDED, ON_NETWORK, SHARED, Shape
from tests.simulation.shop_world import HIGHEST_HERE, Outcomes, play

SEEDS = int(os.environ.get("AMENDS_SIM_SEEDS", "100"))
_AT_ONCE = 20
_ROOT = Path(__file__).parents[2]
_DIGEST = "from tests.simulation.shop_world import play; print(play({seed}).record.digest())"


def told(outcomes: Outcomes) -> str:
    """What failed, and how to see it again."""
    lines = [f"{each.what}: {each.detail}" for each in outcomes.violations]
    return "\n".join([f"python -m tests.simulation.soak --seed {outcomes.seed}", *lines])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, _AT_ONCE))
def test_shop_keeps_its_promises_whatever_fails(first: int) -> None:
    for seed in range(first, min(first + _AT_ONCE, SEEDS)):
        outcomes = play(seed)
        assert not outcomes.violations, told(outcomes)


@pytest.mark.parametrize("shape", [EMBEDDED, ON_NETWORK, APART, SHARED], ids=lambda shape: shape.name)
def test_shop_without_faults_does_what_is_asked(shape: Shape) -> None:
    outcomes = play(3, rates={}, shape=shape)

    assert not outcomes.violations, told(outcomes)
    assert not outcomes.faults
    assert outcomes.ended["approved"] > 5


def test_every_kind_of_fault_happens() -> None:
    rates = {kind: most / 2 for kind, most in HIGHEST_HERE.items()}
    happened = set[str]()
    for seed in range(60):
        outcomes = play(seed, rates=rates, orders=5, shape=SHARED)
        assert not outcomes.violations, told(outcomes)
        happened |= set(outcomes.faults)
        if happened == set(HIGHEST_HERE):
            break

    assert happened == set(HIGHEST_HERE)


@pytest.mark.parametrize("seed", [2, 5])
def test_same_seed_is_the_same_run_in_every_process(seed: int) -> None:
    here = play(seed).record.digest()

    assert play(seed).record.digest() == here
    assert _digest_elsewhere(seed, "1") == _digest_elsewhere(seed, "2") == here


def _digest_elsewhere(seed: int, hash_seed: str) -> str:
    told = subprocess.run(
        [sys.executable, "-c", _DIGEST.format(seed=seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{_ROOT}/src:{_ROOT}"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()
