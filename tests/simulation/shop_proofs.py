"""What is asked of the simulated shop whatever it is kept on."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.simulation.shop_homes import ON_DISK, Shape
from tests.simulation.shop_world import ORDERS, Outcomes, play

_ROOT = Path(__file__).parents[2]
_DIGEST = """
from tests.simulation.shop_homes import ON_DISK
from tests.simulation.shop_world import play
print(play({seed}, rates={rates}, shape={shape}).record.digest())
"""


def held(
    seed: int, *, rates: Mapping[str, float] | None = None, orders: int = ORDERS, shape: Shape | None = None
) -> Outcomes:
    """Runs a seed, which keeps every promise; otherwise fails, and says how to see it again."""
    outcomes = play(seed, rates=rates, orders=orders, shape=shape)
    disk = " --disk" if shape is ON_DISK else ""
    lines = [f"{each.what}: {each.detail}" for each in outcomes.violations]
    assert not lines, "\n".join([f"python -m tests.simulation.soak{disk} --seed {seed}", *lines])
    return outcomes


def every_kind_happens(highest: Mapping[str, float], rates: Mapping[str, float], shape: Shape, most: int) -> None:
    """Within so many seeds of five orders."""
    happened = set[str]()
    for seed in range(most):
        happened |= set(held(seed, rates=rates, orders=5, shape=shape).faults)
        if happened == set(highest):
            return
    raise AssertionError(f"in {most} seeds never: {set(highest) - happened}")


def same_in_every_process(seed: int, rates: Mapping[str, float] | None = None, *, on_disk: bool = False) -> Outcomes:
    """The same run here again, and in processes in which strings have other hashes."""
    shape = ON_DISK if on_disk else None
    here = play(seed, rates=rates, shape=shape)
    again = play(seed, rates=rates, shape=shape).record.digest()
    elsewhere = [_digest_elsewhere(seed, rates, on_disk, hash_seed) for hash_seed in ("1", "2")]
    assert {again, *elsewhere} == {here.record.digest()}
    return here


def _digest_elsewhere(seed: int, rates: Mapping[str, float] | None, on_disk: bool, hash_seed: str) -> str:
    program = _DIGEST.format(seed=seed, rates=rates, shape="ON_DISK" if on_disk else None)
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": f"{_ROOT}/src:{_ROOT}"},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip()
