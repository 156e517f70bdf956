"""A seed of the simulated shop that fails is made short, drawn, and shown again by one line."""

import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.simulation import soak
from tests.simulation.shop_rules import couriers_are_unbooked
from tests.simulation.shop_world import Outcomes, play

_MOST = 30


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Outcomes:
    """The first seed that fails without a rule of the shop's."""
    couriers_are_unbooked(monkeypatch)
    return next(outcomes for outcomes in map(play, range(_MOST)) if outcomes.violations)


def test_failing_seed_is_made_short_drawn_and_shown_again_by_one_line(
    failing: Outcomes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = soak.run_seeds([failing.seed], tmp_path)
    line = tally.replays[failing.seed]
    assert line in "\n".join(tally.lines())

    python, _, module, *arguments = shlex.split(line)
    monkeypatch.setattr(sys, "argv", [module, *arguments, "--pictures", str(tmp_path / "again")])
    assert (python, module) == ("python", soak.__name__)
    assert soak.main() == 1

    told = capsys.readouterr().out.splitlines()
    assert told[-1] == line
    assert len(soak.faults_of(arguments[-1])) <= 1 < len(failing.happened)
    what = failing.violations[0].what
    assert any(what in said for said in told)
    drawn, again = (path / f"seed-{failing.seed}.svg" for path in (tmp_path, tmp_path / "again"))
    assert drawn.read_text() == again.read_text()
    assert what in "".join(ElementTree.parse(drawn).getroot().itertext())


def test_seed_in_which_nothing_is_wrong_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert soak.show_seed(0, 2, None, tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing is wrong"
    assert not list(tmp_path.iterdir())
