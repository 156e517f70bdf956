"""The documents of the repository, and what is in them."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py::[^`]+)`")
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)")
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^ {4}(?:\$ )?\.venv/bin/(amends|shop) (.*)$", re.MULTILINE)


def pages() -> list[Path]:
    """Every page that people read, the README first."""
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


def text(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def links(page: Path) -> list[str]:
    """Where it leads within the repository."""
    return [each for each in _LINK.findall(text(page)) if "://" not in each]


def fenced(page: str | Path) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block."""
    for found in _FENCED.finditer(text(page)):
        yield found[1], found[2]


def blocks(page: str | Path) -> list[list[str]]:
    """The lines of each indented block, without the indentation; empty lines within one are kept."""
    found: list[list[str]] = [[]]
    for line in text(page).splitlines():
        if line.startswith("    ") or (not line and found[-1]):
            found[-1].append(line[4:])
        elif found[-1]:
            found.append([])
    return [_stripped(block) for block in found if block]


def commands(page: Path) -> list[tuple[str, str]]:
    """Calls of our own commands: the program, and its arguments as they are written."""
    return [(found[1], found[2]) for found in _COMMAND.finditer(text(page))]


def _stripped(block: list[str]) -> list[str]:
    while block and not block[-1]:
        block = block[:-1]
    return block
