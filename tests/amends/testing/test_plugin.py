"""The fixture `explore`, as other people's tests have it; pytest runs as a process, as it does for them."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = """
from amends.testing import Exploration
from tests.amends.testing import exploring_cases as cases


def test_mended(explore):
    exploration = explore(cases.mended, seeds=2)
    print("seeds", exploration.seeds)


def test_buggy(explore):
    explore(cases.buggy, seeds=3)
"""


@pytest.fixture
def pytest_run(tmp_path: Path) -> "Run":
    (tmp_path / "test_tickets.py").write_text(TESTS, encoding="utf-8")
    return Run(tmp_path)


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *options: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rP", f"--basetemp={self.folder}/t"]
        path = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""}
        return subprocess.run(
            [*command, *options, "test_tickets.py"],
            cwd=self.folder,
            env=path,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


def test_bug_fails_the_test_with_its_shortest_history_and_a_picture(pytest_run: Run) -> None:
    ran = pytest_run("-k", "buggy")

    assert ran.returncode == 1
    assert "amends.testing.exploring.Found: 1 seeds ran; the last one failed" in ran.stdout
    assert "seed 0 fails:" in ran.stdout
    assert "again: pytest --amends-seed 0" in ran.stdout
    assert len(list(pytest_run.folder.rglob("seed-0.svg"))) == 1


@pytest.mark.parametrize(
    ("options", "seeds"), [((), 2), (("--amends-seeds", "3"), 3), (("--amends-seed", "5"), 1)], ids=str
)
def test_options_say_how_many_seeds_and_which(options: tuple[str, ...], seeds: int, pytest_run: Run) -> None:
    ran = pytest_run("-k", "mended", *options)

    assert ran.returncode == 0, ran.stdout
    assert f"seeds {seeds}" in ran.stdout


def test_only_the_seed_that_is_named_runs(pytest_run: Run) -> None:
    ran = pytest_run("-k", "buggy", "--amends-seed", "8")

    assert "seed 8 fails:" in ran.stdout


def test_help_explains_the_options(pytest_run: Run) -> None:
    said = " ".join(pytest_run("--help").stdout.split())

    assert "--amends-seeds=N how many seeds `explore` runs" in said
    assert "--amends-seed=N the only seed that `explore` runs" in said
