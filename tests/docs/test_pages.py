"""What pages point to is there: files, tests, decisions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import NAMED_TEST, ROOT, blocks, fenced, links, name, pages, text

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
SRC = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
GUARANTEES = sorted((ROOT / "docs" / "guarantees").glob("[!R]*.md"))


@pytest.mark.parametrize("page", pages(), ids=name)
def test_relative_links_resolve(page: Path) -> None:
    missing = [link for link in links(page) if not (page.parent / link).exists()]

    assert missing == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page.suffix == ".md" and page not in reached:
            reached.add(page)
            left += [(page.parent / link).resolve() for link in links(page)]

    assert [name(page) for page in pages() if page not in reached and page.name != "CHANGELOG.md"] == []


def test_named_tests_exist() -> None:
    named = sorted({test for page in pages() for test in NAMED_TEST.findall(text(page))})
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *named]
    collected = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)

    assert len(named) > 40
    assert collected.returncode == 0, collected.stdout[-2000:] + collected.stderr[-2000:]


@pytest.mark.parametrize("page", GUARANTEES, ids=name)
def test_guarantee_says_what_how_what_not_and_shows_it(page: Path) -> None:
    written = text(page)

    assert [
        head for head in ("**Promised.**", "**How.**", "**Not promised.**", "**Shown by**") if head not in written
    ] == []
    assert NAMED_TEST.findall(written)
    assert page.name in text("docs/guarantees/README.md")
    assert page.name in text("README.md")


@pytest.mark.parametrize("number", range(1, len(DECISIONS) + 1))
def test_decision_says_why_what_what_else_and_when_to_look_again(number: int) -> None:
    page = DECISIONS[number - 1]
    written = text(page)

    assert page.name.startswith(f"{number:02}-")
    assert written.startswith(f"# {number}. ")
    assert [
        head for head in ("**Context.**", "**Decision.**", "**Rejected.**", "**Revisit when**") if head not in written
    ] == []
    assert page.name in text("docs/decisions/README.md")


def test_readme_shows_the_first_saga_as_it_is() -> None:
    assert [body for language, body in fenced("README.md") if language == "python"] == [text("examples/first_saga.py")]


def test_readme_shows_what_the_first_saga_prints() -> None:
    [shown] = [block for block in blocks("README.md") if block[0] == "$ .venv/bin/python examples/first_saga.py"]
    example = [sys.executable, "-X", "utf8", str(ROOT / "examples" / "first_saga.py")]
    ran = subprocess.run(example, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True)

    assert shown[1:] == ran.stdout.splitlines()


def test_architecture_shows_the_saga_as_it_is() -> None:
    command = ["graph", "place-order"]
    [shown] = [block for block in blocks("docs/architecture.md") if block[0] == "$ .venv/bin/amends graph place-order"]
    amends = [sys.executable, "-X", "utf8", "-P", "-c", "from amends.cli import main; main()", *command]
    drawn = subprocess.run(
        amends, cwd=ROOT, env=SRC, capture_output=True, text=True, encoding="utf-8", timeout=60, check=True
    )

    assert shown[1:] == drawn.stdout.rstrip().splitlines()
