"""Seeds under coverage say which branches of the core they don't reach: none."""

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


def _printed(*arguments: str) -> list[str]:
    command = [sys.executable, "-m", "tests.simulation.coverage", *arguments]
    ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=280, check=True)
    return ran.stdout.splitlines()


@pytest.mark.slow
def test_every_branch_of_the_core_is_reached_by_some_seed() -> None:
    """A branch that none reaches needs a world that does, or is not needed."""
    lines = _printed("--until-reached", "--seeds", "16", "--shop-seeds", "16")

    total = next(at for at, line in enumerate(lines) if line.startswith("branches"))
    assert lines[total + 1 :] == []
    assert lines[total].endswith("100.0 %")


def test_branches_that_no_seed_reaches_are_printed() -> None:
    lines = _printed("--seeds", "1", "--shop-seeds", "0", "--world", "bells")

    totals = {
        line.split()[0]: [int(word) for word in line.split() if word.isdigit()] for line in lines if " of " in line
    }
    assert 0 < totals["coordinator"][0] < totals["coordinator"][1]
    assert totals["branches"] == [sum(each[at] for name, each in totals.items() if name != "branches") for at in (0, 1)]
    assert any(line.startswith("  mending.py:") for line in lines) or totals["mending"][0] == 0
    assert any("if draft.backward:" in line for line in lines)
