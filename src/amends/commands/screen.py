"""What commands print on: tables and colours for people, JSON for programs."""

import os
import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from amends.state import Phase, Status

Cell = str | Text

STYLES = {
    Phase.DONE: "green",
    Phase.RESOLVED: "green",
    Status.COMPLETED: "green",
    "yes": "green",
    Phase.REFUSED: "yellow",
    Status.COMPENSATED: "yellow",
    "turned back": "yellow",
    Status.COMPENSATING: "magenta",
    Phase.UNDOING: "magenta",
    Phase.UNDONE: "magenta",
    Status.RUNNING: "cyan",
    Phase.ASKED: "cyan",
    Phase.STUCK: "bold red",
    "NO": "bold red",
    Phase.FAILED: "red",
    Phase.WAITING: "dim",
    "late": "dim",
}
_WIDE = 200
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "m"), (1.0, "s"))


class Screen:
    """Prints to standard output; plain where that is no terminal, or `NO_COLOR` is set. `json`: data only."""

    def __init__(self, json: bool) -> None:
        self.json = json
        width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _WIDE
        self._console = Console(width=width, highlight=False, markup=False, emoji=False)

    def data(self, value: object) -> None:
        """Prints JSON, indented."""
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        self._console.out(text, highlight=False)

    def line(self, text: Cell = "") -> None:
        self._console.print(text if isinstance(text, Text) else clean(text), soft_wrap=not self._console.is_terminal)

    def show(
        self, data: object, rows: Sequence[Sequence[Cell]], head: Sequence[str], keep: Sequence[int], none: str = ""
    ) -> None:
        """Prints the data for a program, the rows for a person; see `table`."""
        self.data(data) if self.json else self.table(rows, head, keep, none)

    def table(
        self, rows: Sequence[Sequence[Cell]], head: Sequence[str] = (), keep: Sequence[int] = (), none: str = ""
    ) -> None:
        """Rows under their heads; columns numbered in `keep` are never broken; `none` is said instead of no rows."""
        if not rows:
            self.line(none)
            return
        table = Table(box=None, show_header=bool(head), header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        for number in range(len(rows[0])):
            table.add_column(head[number] if head else "", no_wrap=number in keep, overflow="fold")
        for row in rows:
            table.add_row(*(cell if isinstance(cell, Text) else clean(cell) for cell in row))
        with self._console.capture() as drawn:
            self._console.print(table)
        print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def clean(text: str) -> Text:
    """What others wrote can't steer the terminal."""
    return Text("".join(each if each.isprintable() or each == "\n" else "�" for each in text))


def styled(word: str, rest: str = "") -> Text:
    """A state in its colour, and what goes with it."""
    return Text.assemble((word, STYLES.get(word, "")), clean(rest))


def duration(seconds: float) -> str:
    """`12 ms`, `3.4 s`, `5 m`, `2 h`, `9 d`."""
    if seconds < 1:
        return f"{max(seconds, 0) * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    size, unit = next(each for each in _UNITS if seconds >= each[0])
    return f"{seconds / size:.0f} {unit}"
