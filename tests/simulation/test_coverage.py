"""Seeds under coverage say which branches of the core they don't reach."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_branches_that_no_seed_reaches_are_printed() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.simulation.coverage",
        "--seeds",
        "1",
        "--shop-seeds",
        "0",
        "--world",
        "bells",
    ]
    ran = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=120, check=True)
    lines = ran.stdout.splitlines()

    totals = {
        line.split()[0]: [int(word) for word in line.split() if word.isdigit()] for line in lines if " of " in line
    }
    assert 0 < totals["coordinator"][0] < totals["coordinator"][1]
    assert totals["branches"] == [sum(each[at] for name, each in totals.items() if name != "branches") for at in (0, 1)]
    assert any(line.startswith("  mending.py:") for line in lines) or totals["mending"][0] == 0
    assert any("if draft.backward:" in line for line in lines)
