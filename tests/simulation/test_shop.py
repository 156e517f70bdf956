"""The whole shop in worlds that fail by seed: nothing is lost, nothing is done twice, and everything ends."""

import os

import pytest

from tests.simulation.shop_homes import APART, EMBEDDED, ON_DISK, ON_NETWORK, SHARED, Shape
from tests.simulation.shop_proofs import every_kind_happens, held, same_in_every_process
from tests.simulation.shop_world import HIGHEST_HERE

SEEDS = int(os.environ.get("AMENDS_SIM_SEEDS", "100"))
_AT_ONCE = 20
_SHAPES = [EMBEDDED, ON_NETWORK, APART, SHARED, ON_DISK]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, _AT_ONCE))
def test_shop_keeps_its_promises_whatever_fails(first: int) -> None:
    for seed in range(first, min(first + _AT_ONCE, SEEDS)):
        held(seed)


@pytest.mark.parametrize("shape", _SHAPES, ids=lambda shape: shape.name)
def test_shop_without_faults_does_what_is_asked(shape: Shape) -> None:
    outcomes = held(3, rates={}, shape=shape)

    assert not outcomes.faults
    assert outcomes.ended["approved"] > 5


def test_every_kind_of_fault_happens() -> None:
    every_kind_happens(HIGHEST_HERE, {kind: most / 2 for kind, most in HIGHEST_HERE.items()}, SHARED, most=60)


@pytest.mark.parametrize("seed", [2, 5])
def test_same_seed_is_the_same_run_in_every_process(seed: int) -> None:
    same_in_every_process(seed)
