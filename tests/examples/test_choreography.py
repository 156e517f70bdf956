"""The choreography: what it prints, that it stays short, and that the page about it says the same."""

import subprocess
import sys

from tests.docs.pages import ROOT, blocks

EXAMPLE = ROOT / "examples" / "choreography.py"
PRINTED = """\
Order 1 for 100: approved; in the account: 200
Order 2 for 100: rejected; in the account: 200
Order 3 for 900: rejected; in the account: 200
Order 4 for 150: placed; in the account: 50
"""
PAGE = "docs/how-to/when-not-to-choreograph.md"


def test_order_goes_well_is_undone_is_refused_and_is_left_half_done() -> None:
    command = [sys.executable, "-W", "error", "-X", "utf8", str(EXAMPLE)]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True)

    assert (ran.stdout, ran.stderr) == (PRINTED, "")


def test_page_shows_what_the_example_prints() -> None:
    [shown] = [block for block in blocks(PAGE) if block[0] == "$ .venv/bin/python examples/choreography.py"]

    assert shown[1:] == PRINTED.splitlines()


def test_example_stays_short() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 120
