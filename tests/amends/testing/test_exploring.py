"""Seeds find a bug, show it as short as it can be, and find nothing once it is mended; crash points do, too."""

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest

from amends.testing import Exploration, Found, Scenario, crash_points, explore, play
from amends.testing.exploring import Failure, shorten
from tests.amends.testing import exploring_cases as cases

ROOT = Path(__file__).parents[3]
DIGEST = """
from amends.testing import play
from tests.amends.testing import exploring_cases as cases
print(play(cases.mended(), 3).record.digest())
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """The bug, as a hundred seeds find it."""
    with pytest.raises(Found) as raised:
        explore(cases.buggy, seeds=100, folder=tmp_path_factory.mktemp("pictures"))
    return raised.value


def test_compensation_that_pays_twice_is_found_and_told(found: Found) -> None:
    lines = str(found).splitlines()

    assert found.exploration.seeds <= 100
    assert lines[0] == f"{found.exploration.seeds} seeds ran; the last one failed"
    assert lines[1] == f"seed {found.failure.found.seed} fails:"
    assert lines[2].startswith("  a fare for each seat: {'kept': ")
    assert any(line.startswith("shortest run that fails (") for line in lines)
    assert any("PayBack" in line for line in lines)
    assert any(f"pytest --amends-seed {found.failure.found.seed}, or " in line for line in lines)


def test_picture_of_the_shortest_run_is_in_the_folder(found: Found) -> None:
    path = Path(str(found).splitlines()[-1].removeprefix("picture: "))

    assert path.name == f"seed-{found.failure.found.seed}.svg"
    assert "a fare for each seat" in "".join(ElementTree.parse(path).getroot().itertext())


def test_shortest_run_has_one_fault_and_fails_for_the_same_reason(found: Found) -> None:
    failure = found.failure

    assert len(failure.shortest.happened) == 1 < len(failure.found.happened)
    assert failure.sagas == cases.SEATS + 1
    assert len(failure.shortest.record) < len(failure.found.record)
    assert failure.shortest.violations[0].what == failure.found.violations[0].what


def test_seed_that_failed_fails_again_alone(found: Found) -> None:
    again = play(cases.buggy(), found.failure.found.seed)

    assert again.violations == found.failure.found.violations
    assert again.record.digest() == found.failure.found.record.digest()


def test_shortening_stops_when_its_tries_are_spent(found: Found) -> None:
    assert shorten(cases.buggy, found.failure.found, most_tries=3).tries == 2 * 3


def test_long_history_is_told_with_its_middle_left_out(found: Found) -> None:
    whole = found.failure.found
    lines = list(Failure(whole, whole, 8, 0).lines())

    assert any(line.startswith("    … ") and line.endswith(" more …") for line in lines)


@pytest.mark.slow
def test_mended_saga_passes_a_hundred_seeds() -> None:
    exploration = explore(cases.mended, seeds=100)

    assert exploration.seeds == 100
    assert exploration.ends.keys() == {"completed", "compensated"}
    assert exploration.ends.total() == 800
    assert exploration.faults.keys() >= {"message lost", "commit refused", "crash", "freeze"}


def test_saga_with_its_parts_is_explored_without_a_scenario() -> None:
    parts = cases.mended()

    exploration = explore(
        parts.saga,
        parts.participants,
        parts.invariants,
        inputs=parts.inputs,
        migrations=parts.migrations,
        seeds=1,
        sagas=3,
    )

    assert exploration.ends.total() == 3


def test_scenario_is_explored_as_it_is() -> None:
    assert explore(cases.mended(), seeds=1, first=7).seeds == 1


def test_saga_without_inputs_is_refused() -> None:
    expected = "explore buy-ticket: give inputs=, a function of chance that makes a Ticket"

    with pytest.raises(TypeError, match=expected):
        explore(cases.buy_ticket)


def test_inputs_are_taken_from_a_list() -> None:
    parts = cases.mended()
    tickets = [cases.Ticket("a"), cases.Ticket("b")]

    exploration = explore(parts.saga, parts.participants, inputs=tickets, migrations=parts.migrations, seeds=1, sagas=3)

    assert exploration.ends.total() == 3


def test_same_seed_is_the_same_run() -> None:
    first, second, other = (play(cases.mended(), seed).record.digest() for seed in (3, 3, 4))

    assert first == second
    assert first != other


@pytest.mark.parametrize("hashed", ["0", "1", "77"])
def test_same_seed_is_the_same_run_in_another_process(hashed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hashed, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-W", "error", "-c", DIGEST]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.strip() == play(cases.mended(), 3).record.digest()


def test_fault_that_is_left_out_does_not_happen() -> None:
    whole = play(cases.mended(), 0)
    left_out = whole.happened[0]

    assert left_out not in play(cases.mended(), 0, without=[left_out]).happened


def test_inputs_come_from_the_seed() -> None:
    drawn: list[str] = []

    def inputs(chance: Random) -> cases.Ticket:
        drawn.append(cases.any_ticket(chance).id)
        return cases.Ticket(drawn[-1])

    parts = cases.mended()
    for seed in (5, 5, 6):
        play(Scenario(parts.saga, parts.participants, inputs, parts.migrations), seed, sagas=1)

    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("made", [cases.mended, cases.sold_out], ids=["forward", "back"])
def test_no_single_crash_breaks_a_saga(made: Callable[[], Scenario]) -> None:
    runs = list(crash_points(made))

    assert len(runs) > 20
    assert {point.process for run in runs for point in run.points} >= {"sagas", "till", "airline"}
    assert [(run.points, run.outcomes.violations) for run in runs if run.outcomes.violations] == []


@pytest.mark.parametrize(
    ("made", "most"),
    [
        (cases.sold_out, 150),
        pytest.param(cases.sold_out, None, marks=pytest.mark.long),
        pytest.param(cases.mended, None, marks=pytest.mark.long),
    ],
    ids=["back-some", "back", "forward"],
)
def test_no_two_crashes_break_a_saga(made: Callable[[], Scenario], most: int | None) -> None:
    runs = list(islice(crash_points(made, pairs=True), most))

    assert len(runs) >= (most or 500)
    assert {len(run.points) for run in runs} == {1, 2}
    assert [(run.points, run.outcomes.violations) for run in runs if run.outcomes.violations] == []


def test_crash_point_with_a_bug_is_found() -> None:
    wrong = [run for run in crash_points(cases.buggy_and_sold_out) if run.outcomes.violations]

    assert [(run.points[0].process, run.points[0].what) for run in wrong] == [("till", "before a commit")]
    assert wrong[0].outcomes.violations[0].what == "a fare for each seat"
    assert str(wrong[0].points[0]) == f"till {wrong[0].points[0].number} (before a commit)"


def test_exploration_without_a_failure_counts_only() -> None:
    assert explore(cases.mended, seeds=0) == Exploration()
