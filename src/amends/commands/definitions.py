"""The command `graph`: a saga's definition as text or as a picture."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from amends.commands.command import OK, Command, Desk, Unusable
from amends.commands.graph import drawing, made_by, svg


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the saga's name")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture to this file")


async def _graph(desk: Desk, options: Namespace) -> int:
    saga = desk.app.definition(options.name)
    if saga is None:
        names = ", ".join(each.name for sagas in desk.app.sagas.values() for each in sagas)
        raise Unusable(f"no saga is called {options.name!r}: there are {names}")
    if options.svg:
        options.svg.write_text(svg(saga), encoding="utf-8")
    if desk.screen.json:
        steps = [
            {
                "name": step.name,
                "kind": step.kind,
                "group": number,
                "asks": made_by(step.ask),
                "undo": made_by(step.undo),
            }
            for number, group in enumerate(saga.groups)
            for step in (saga.steps[at] for at in group)
        ]
        desk.screen.data({"name": saga.name, "version": saga.version, "deadline_s": saga.deadline_s, "steps": steps})
    elif options.svg:
        desk.screen.line(f"wrote {options.svg}")
    else:
        desk.screen.line(
            f"{saga.name}  version {saga.version}, input {saga.input.__name__}, deadline {saga.deadline_s:g} s\n"
        )
        desk.screen.table([(f"  {each.rail}", each.asks, each.note) for each in drawing(saga)], keep=(0,))
    return OK


COMMANDS = (
    Command("graph", "show a saga's definition", "amends graph place-order --svg place-order.svg", _graph, _options),
)
