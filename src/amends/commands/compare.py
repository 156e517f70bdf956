"""The command `compare`: the same work by several patterns over several transports, measured, read, and killed."""

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress

from amends.commands.command import OK, Command, Desk, Unusable
from amends.commands.comparing import kill
from amends.commands.comparing.drawing import svg
from amends.commands.comparing.kill import Kill, Killed
from amends.commands.comparing.load import Figures, Load
from amends.commands.comparing.rows import HEAD, KEEP, LEGEND, Row, cells, notes
from amends.commands.comparing.where import HTTP, INPROCESS, KAFKA, PLACE, Where
from amends.commands.comparing.world import opened
from amends.comparison import Comparison, Pattern

ORDERS, MOST = 300, 5_000
_OVER = (INPROCESS, HTTP, KAFKA)
_WARM, _LONGEST_S = 40, 6.0
_NO_BROKER = "no broker: start one with `python -m tools.servers up --kafka`, and give its HOST:PORT with --kafka"
_NO_SERVER = (
    f"no PostgreSQL: give one with --postgres postgresql://…/{PLACE} (python -m tools.servers up --postgres 18)"
)
_NO_HTTP = "no parser: install amends[http]"


class Cell(NamedTuple):
    """One pattern over one transport; `left_out` says why it can't be."""

    pattern: Pattern
    over: str
    left_out: str


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what is compared, such as place-order")
    parser.add_argument("--orders", type=int, default=ORDERS, metavar="N", help=f"measured orders of each ({ORDERS})")
    parser.add_argument("--over", default=",".join(_OVER), metavar="LIST", help=f"transports: {','.join(_OVER)}")
    parser.add_argument("--kafka", default="", metavar="HOST:PORT", help="a broker, for those over Kafka")
    parser.add_argument("--postgres", default="", metavar="DSN", help=f"databases there: postgresql://…/{PLACE}")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the comparison into this file")


async def _compare(desk: Desk, options: Namespace) -> int:
    comparison = _comparison(desk, options.name)
    found = list(_cells(comparison, options))
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="amends-compare-") as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=2 * len(found))
        rows = []
        for nth, cell in enumerate(found):
            run = _Run(desk, comparison, options, Path(folder), f"cmp_{desk.runtime.new_id()[:8]}_{nth}")
            progress.update(task, description=f"{cell.pattern.name} over {cell.over}: {options.orders} orders")
            figures = None if cell.left_out else await run.measure(cell)
            progress.update(task, advance=1, description=f"{cell.pattern.name} over {cell.over}: killed")
            killed = None if cell.left_out else await run.kill(cell)
            progress.advance(task)
            found_here = Row(
                pattern=cell.pattern.name, over=cell.over, figures=figures, killed=killed, left_out=cell.left_out
            )
            rows.append(found_here)
    _show(desk, options, rows)
    return OK


def _show(desk: Desk, options: Namespace, rows: list[Row]) -> None:
    if options.svg:
        options.svg.write_text(svg(options.name, rows), encoding="utf-8")
    desk.screen.show(rows, [cells(row) for row in rows], HEAD, KEEP)
    if not desk.screen.json:
        for note in (*LEGEND, *notes(rows)):
            desk.screen.line(note)
        if options.svg:
            desk.screen.line(f"wrote {options.svg}")


def _comparison(desk: Desk, name: str) -> Comparison:
    """Raises `Unusable`."""
    make = desk.app.comparisons.get(name)
    if make is None:
        names = ", ".join(desk.app.comparisons) or "none"
        raise Unusable(f"nothing to compare is called {name!r}: there is {names}")
    return make()


def _cells(comparison: Comparison, options: Namespace) -> Iterator[Cell]:
    """Raises `Unusable` for what can't be asked."""
    wanted = [each for each in options.over.split(",") if each]
    if not wanted or (wrong := [each for each in wanted if each not in _OVER]):
        raise Unusable(f"--over: {', '.join(wrong) if wanted else 'nothing'} is none of {', '.join(_OVER)}")
    if not 1 <= options.orders <= MOST:
        raise Unusable(f"--orders: {options.orders} is not from 1 to {MOST}")
    if options.postgres and PLACE not in options.postgres:
        raise Unusable(f"--postgres needs {PLACE} in place of a database's name: {options.postgres!r} has none")
    for over in wanted:
        for pattern in comparison.patterns:
            yield Cell(pattern, over, _left_out(pattern, over, options))


def _left_out(pattern: Pattern, over: str, options: Namespace) -> str:
    if over == KAFKA and not options.kafka:
        return _NO_BROKER
    if over == HTTP and find_spec("httptools") is None:
        return _NO_HTTP
    return _NO_SERVER if pattern.prepared is not None and not options.postgres else ""


class _Run:
    """Opens a world anew for each measurement; nothing of it stays."""

    def __init__(self, desk: Desk, comparison: Comparison, options: Namespace, folder: Path, prefix: str) -> None:
        self._desk = desk
        self._comparison = comparison
        self._options = options
        self._folder = folder
        self._prefix = prefix

    async def measure(self, cell: Cell) -> Figures:
        where, orders = self._where(cell, "load"), self._options.orders
        try:
            async with opened(self._comparison, cell.pattern, where, self._desk.runtime) as world:
                await self._comparison.sow(world.services)
                async with self._comparison.placing(world.home, cell.pattern) as place:
                    load = Load(world, place)
                    await load.run(0, min(_WARM, orders), _LONGEST_S)
                    return await load.measure(cell.pattern, _WARM, orders, _LONGEST_S)
        finally:
            await where.drop(self._comparison)

    async def kill(self, cell: Cell) -> Killed:
        where, sagas = self._where(cell, "kill"), min(kill.SAGAS, self._options.orders)
        try:
            killing = Kill(self._comparison, cell.pattern, where, self._desk.runtime)
            return await killing.run(self._desk.named, self._options.name, sagas)
        finally:
            await where.drop(self._comparison)

    def _where(self, cell: Cell, why: str) -> Where:
        prefix = f"{self._prefix}_{why}_"
        postgres, kafka = self._options.postgres, self._options.kafka
        folder = str(self._folder / prefix)
        return Where(over=cell.over, folder=folder, prefix=prefix, postgres=postgres, kafka=kafka)


COMMANDS = (
    Command(
        "compare",
        "run the same work by several patterns, and compare",
        "amends compare place-order --over inprocess,http --svg patterns.svg",
        _compare,
        _options,
    ),
)
