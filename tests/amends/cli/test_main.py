"""The command itself: how it finds the program, what it exits with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amends.cli import COMMANDS, main
from tests.amends.cli.conftest import Amends

Ids = dict[str, str]
ROOT = Path(__file__).parents[3]


def run(*argv: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [str(Path(sys.executable).with_name("amends")), *argv]
    kept = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=60, check=False)


def test_the_installed_command_works_as_a_process(tmp_path: Path, ids: Ids) -> None:
    said = run("--data", str(tmp_path), "sagas", "--app", "tests.amends.cli.journeys:app", "--json")

    assert (said.returncode, said.stderr) == (0, "")
    assert {each["id"] for each in json.loads(said.stdout)} == set(ids.values())


def test_output_that_is_no_terminal_is_plain(tmp_path: Path, ids: Ids) -> None:
    said = run("sagas", AMENDS_DATA=str(tmp_path), AMENDS_APP="tests.amends.cli.journeys:app")

    assert ids["stuck"] in said.stdout
    assert "\x1b" not in said.stdout


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_of_each_command_ends_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])

    assert left.value.code == 0
    assert f"example: amends {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("app", "says"),
    [
        ("tests.amends.cli.journeys", "is no MODULE:NAME"),
        ("no_such_module:app", "can't be loaded (No module named 'no_such_module')"),
        ("tests.amends.cli.journeys:take_trip", "is a Saga: name an amends.app.App"),
        ("tests.amends.cli.journeys:nothing", "can't be loaded"),
    ],
)
def test_a_program_that_can_not_be_loaded_is_refused(app: str, says: str, amends: Amends) -> None:
    said = amends("sagas", "--app", app)

    assert said.code == 2
    assert said.error.startswith("amends: ")
    assert says in said.error
    assert said.error.count("\n") == 1


def test_the_program_is_named_in_pyproject(
    tmp_path: Path, ids: Ids, amends: Amends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMENDS_APP")
    monkeypatch.chdir(tmp_path)
    without = amends("sagas")
    (tmp_path / "pyproject.toml").write_text('[tool.amends]\napp = "tests.amends.cli.journeys:app"\n')

    said = amends("sagas")

    assert "no program is given" in without.error
    assert ids["completed"] in said.out


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([])

    assert left.value.code == 2
    assert "usage: amends" in capsys.readouterr().err
