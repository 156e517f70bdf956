"""The first example: what it prints, and that it stays short."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "first_saga.py"
PRINTED = """\
A ticket for 90: started → asked → done → asked → done → completed
A ticket for 95: started → asked → done → asked → refused → turned back → undoing → undone → compensated
"""


def test_first_ticket_is_sold_and_the_second_is_undone() -> None:
    command = [sys.executable, "-W", "error", "-X", "utf8", str(EXAMPLE)]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True)

    assert (ran.stdout, ran.stderr) == (PRINTED, "")


def test_example_fits_on_one_screen() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 60
