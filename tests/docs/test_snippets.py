"""The Python on the pages runs, block after block, and prints what the pages say; commands are ones that there are."""

import shlex
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from tests.docs.command_line import parser_of
from tests.docs.pages import ROOT, commands, fenced, name, pages

PAGES = [page for page in pages() if any(language == "text" for language, _ in fenced(page))]
COMMANDS = [(page, *command) for page in pages() for command in commands(page)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the snippets run; it holds the data folder of a shop with two rooms, at rest."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "operator.token").write_text("secret\n")
    for room in ("orders", "billing"):
        connection = apsw.Connection(str(data / f"{room}.db"))
        connection.execute(
            "pragma journal_mode = wal; create table kept (number); insert into kept values (1)"
        ).fetchall()
        connection.close()
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_snippets_run_and_print_what_the_page_says(page: Path, folder: Path) -> None:
    program = folder / "page.py"
    program.write_text("".join(body for language, body in fenced(page) if language == "python"), encoding="utf-8")
    run = [sys.executable, "-W", "error", "-X", "utf8", str(program)]
    ran = subprocess.run(run, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)

    assert ran.stderr == ""
    assert ran.stdout == "".join(body for language, body in fenced(page) if language == "text")


def test_backup_holds_what_the_data_folder_held(folder: Path) -> None:
    test_snippets_run_and_print_what_the_page_says(ROOT / "docs" / "how-to" / "back-up.md", folder)

    for room in ("orders", "billing"):
        connection = apsw.Connection(str(folder / "backup" / f"{room}.db"))
        assert connection.execute("select number from kept").fetchall() == [(1,)]
        connection.close()


def test_pages_with_snippets_are_found() -> None:
    assert {"tutorial.md", "back-up.md", "add-a-step.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize(("page", "program", "arguments"), COMMANDS, ids=lambda value: getattr(value, "stem", value))
def test_commands_on_pages_are_understood(page: Path, program: str, arguments: str) -> None:
    assert vars(parser_of(program).parse_args(shlex.split(arguments, comments=True)))
