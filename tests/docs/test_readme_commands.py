"""What the README shows of the two commands is what they print, but for times, ids and ports."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.docs.pages import ROOT, blocks

SHOP = str(ROOT / ".venv" / "bin" / "shop")
WIDE = {**os.environ, "COLUMNS": "100", "TERM": "xterm", "PYTHONUTF8": "1"}
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_VARIABLE = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"token=[\w-]+"), "token=TOKEN"),
    (re.compile(r"ann-\d+"), "ann-N"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"(completed|compensated)(.*?) +\d+$", re.MULTILINE), r"\1\2 MS"),
]


def shape(lines: list[str]) -> list[str]:
    """Lines without what differs from run to run, nor empty ones."""
    text = "\n".join(line.rstrip() for line in lines)
    for pattern, instead in _VARIABLE:
        text = pattern.sub(instead, text)
    return [" ".join(line.split()) for line in text.splitlines() if line]


def shown(first: str) -> list[str]:
    """The README's block that begins with this line, without the command and without what make prints."""
    [block] = [block for block in blocks("README.md") if block[0].startswith(first)]
    return shape([line for line in block if not line.startswith(("$ ", "setup: "))])


@contextmanager
def open_shop(data: Path) -> Iterator[int]:
    """A shop in a terminal of its own, which is what newcomers have."""
    ours, theirs = pty.openpty()
    command = [SHOP, "up", "--ports", "auto", "--data", str(data)]
    shop = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=WIDE, cwd=data.parent)
    os.close(theirs)
    try:
        yield ours
    finally:
        shop.send_signal(signal.SIGINT)
        assert shop.wait(20) == 0
        os.close(ours)


def read_until(terminal: int, wanted: re.Pattern[str]) -> str:
    """What a terminal has shown, once it has shown what is wanted."""
    seen = ""
    while not wanted.search(seen):
        with suppress(BlockingIOError):
            seen += _COLOURS.sub("", os.read(terminal, 65536).decode("utf-8", "replace"))
    return seen


def test_readme_shows_what_the_two_commands_print(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with open_shop(data) as terminal:
        opened = read_until(terminal, re.compile("no saga has ended yet"))
        order = [SHOP, "order", "--data", str(data)]
        ordered = subprocess.run(order, capture_output=True, text=True, encoding="utf-8", env=WIDE, check=True)
        ended = read_until(terminal, re.compile(r"compensated: 3 +completed: 1"))

    assert shown("$ make up") == shape(opened.splitlines())[: len(shown("$ make up"))]
    assert shown("$ make order") == shape(ordered.stdout.splitlines())
    assert [line for line in shown("saga ") if line not in shape(ended.splitlines())] == []
