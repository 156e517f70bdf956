"""`make bench`: measures everything, several times, and prints one table.

    python -m bench [--quick] [--only ROW] [--runs N] [--json FILE] [--docs FILE]

Rounds go through all rows before they begin again, so that a slow minute of the machine falls on all of them alike.
"""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import apsw
import msgspec
from rich.console import Console
from rich.table import Table

from bench.every_row import ROWS
from bench.figures import Figure, Row, Scale, number, spread

QUICK = 0.1
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
Gathered = dict[str, dict[str, list[float]]]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="make bench", description="Measures speed; asserts nothing.")
    names = ", ".join(row.name for row in ROWS)
    made.add_argument("--quick", action="store_true", help="a tenth of every count")
    made.add_argument("--only", action="append", metavar="ROW", choices=[row.name for row in ROWS], help=names)
    made.add_argument("--runs", type=int, default=3, help="rounds through all rows (3)")
    made.add_argument("--scale", type=float, default=1.0, help="share of every count (1.0)")
    made.add_argument("--docs", type=Path, metavar="FILE", help="writes the table into this page, between its marks")
    made.add_argument("--json", type=Path, metavar="FILE", help="writes every run's figures there")
    return made


def measure(rows: Sequence[Row], scale: Scale, runs: int, progress: Console) -> Gathered:
    """Every figure of every run; prints each as it comes."""
    gathered: Gathered = {row.name: {} for row in rows}
    for nth in range(runs):
        for row in rows:
            with progress.status(f"round {nth + 1} of {runs}: {row.name}"):
                values = row.measure(scale)
            shown = ", ".join(f"{key} {number(value)}" for key, value in values.items())
            progress.print(f"{nth + 1}/{runs} {row.name}: {shown}", highlight=False)
            for key, value in values.items():
                gathered[row.name].setdefault(key, []).append(value)
    return gathered


def table(rows: Sequence[Row], gathered: Gathered) -> Table:
    made = Table("row", "what", "unit", "min", "median", "max", "target")
    for row in rows:
        for figure in row.figures:
            runs = gathered[row.name].get(figure.key)
            if runs:
                made.add_row(*_cells(row.name, figure, runs))
        made.add_section()
    return made


def _cells(name: str, figure: Figure, runs: Sequence[float]) -> list[str]:
    return [name, figure.what, figure.unit, *map(number, spread(runs)), figure.target]


def markdown(rows: Sequence[Row], gathered: Gathered, runs: int, scale: Scale) -> str:
    """The table for a page, with the date and the machine."""
    size = "" if scale.factor == 1 else f", at {scale.factor:g} of the full counts"
    lines = [f"Measured {', '.join(f'{name} {value}' for name, value in machine().items())}; {runs} runs{size}.", ""]
    lines += ["| row | what | unit | min | median | max | target |", "|---|---|---|--:|--:|--:|---|"]
    for row in rows:
        for figure in row.figures:
            measured = gathered[row.name].get(figure.key)
            if measured:
                lines.append(f"| {' | '.join(_cells(row.name, figure, measured))} |")
    return "\n".join(lines)


def put_table(page: str, text: str) -> str:
    """The page with this text between its marks. Raises `ValueError` when they are missing."""
    before, opening, rest = page.partition(BEGIN)
    _, closing, after = rest.partition(END)
    if not (opening and closing):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}: put them where the table belongs")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def machine() -> dict[str, str | int]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count() or 0,
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
    }


def main(arguments: Sequence[str]) -> None:
    given = parser().parse_args(arguments)
    rows = [row for row in ROWS if not given.only or row.name in given.only]
    scale = Scale(QUICK if given.quick else given.scale)
    gathered = measure(rows, scale, given.runs, Console(stderr=True))
    Console(width=None if sys.stdout.isatty() else 120).print(table(rows, gathered))
    if given.docs is not None:
        given.docs.write_text(put_table(given.docs.read_text(), markdown(rows, gathered, given.runs, scale)))
    if given.json is not None:
        report = {"machine": machine(), "scale": scale.factor, "runs": given.runs, "rows": gathered}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
