"""explore: seeds, what they did, and the shortest history of one that fails."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.amends.cli.conftest import Amends

CASES = "tests.amends.testing.exploring_cases"


def test_nothing_found_is_a_table_and_all_is_well(amends: Amends) -> None:
    said = amends("explore", f"{CASES}:mended", "--seeds", "3")

    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["fault", "happened", "sagas", "count"]
    assert said.line("compensated").split()[-2:] == ["compensated", "18"]
    assert said.line("3 seeds in").endswith("nothing found.")


def test_bug_is_shown_with_the_way_to_see_it_again(amends: Amends) -> None:
    said = amends("explore", f"{CASES}:buggy")

    assert said.code == 1
    assert said.line("1 seeds in").endswith(f"one failed. Again: amends explore {CASES}:buggy --seed 0")
    assert said.line("seed 0 fails:") == "seed 0 fails:"
    assert "a fare for each seat" in said.out
    assert said.line("shortest run that fails")


def test_one_seed_alone_and_from_another_on(amends: Amends) -> None:
    assert amends("explore", f"{CASES}:mended", "--seed", "8").line("seeds in").startswith("1 seeds in")
    assert amends("explore", f"{CASES}:buggy", "--first", "8", "--seeds", "2").line("seed 8 fails:")


def test_as_data(amends: Amends) -> None:
    said = json.loads(amends("explore", f"{CASES}:buggy", "--seed", "8", "--json").out)

    assert (said["seeds"], said["replay"]) == (1, f"amends explore {CASES}:buggy --seed 8")
    assert [violation["what"] for violation in said["violations"]] == ["a fare for each seat"]
    assert sum(said["ends"].values()) == 8
    assert said["faults"]["commit refused"] >= 1


def test_shortest_history_is_drawn(amends: Amends, tmp_path: Path) -> None:
    file = tmp_path / "found.svg"

    amends("explore", f"{CASES}:buggy", "--seed", "8", "--svg", str(file))

    assert "Seed 8: a fare for each seat" in "".join(ElementTree.parse(file).getroot().itertext())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "no_such_module:scenario",
            "can't be loaded (No module named 'no_such_module'): name an amends.testing.Scenario",
        ),
        (f"{CASES}:nothing", "can't be loaded"),
        (CASES, "can't be loaded"),
        (f"{CASES}:FARE", "is a int: name"),
        (f"{CASES}:any_ticket", "is a function: name"),
    ],
)
def test_what_is_no_scenario_is_refused(name: str, says: str, amends: Amends) -> None:
    said = amends("explore", name)

    assert said.code == 2
    assert said.error.startswith(f"amends: {name} ")
    assert says in said.error
    assert said.error.count("\n") == 1


@pytest.mark.parametrize("seeds", ["0", "many"])
def test_seeds_are_counted(seeds: str, amends: Amends) -> None:
    with pytest.raises(SystemExit) as left:
        amends("explore", f"{CASES}:mended", "--seeds", seeds)

    assert left.value.code == 2


def test_saga_beside_its_participants_and_inputs_is_explored(amends: Amends) -> None:
    said = amends("explore", "tests.amends.cli.short_case:buy_ticket", "--seeds", "1")

    assert said.code == 0
    assert said.line("seeds in").endswith("nothing found.")


def test_saga_without_what_it_takes_is_told_what_is_missing(amends: Amends) -> None:
    said = amends("explore", f"{CASES}:buy_ticket")

    assert said.code == 2
    assert "exploring_cases has no `participants` and no `inputs` beside it" in " ".join(said.error.split())
