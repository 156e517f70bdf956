"""The command `amends`: look at sagas from outside, mend them, check and migrate their data.

It works on the databases of a program that is described by an `amends.app.App`, in a data folder or on a server,
beside the running program or without it. Exit code 0: done; 1: the answer is no (an invariant is broken, a mend is
impossible, the folder is in use); 2: it can't be done as it was asked.
"""

import argparse
import asyncio
import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.sqlite.visitor import Visitor
from amends.app import App
from amends.commands import cdc, compare, data_folder, definitions, explore, looking, mends, one_saga
from amends.commands.command import NO, UNUSABLE, Command, Desk, Home, Unusable, load
from amends.commands.screen import Screen
from amends.errors import AmendsError, CannotMend, InUse

_GROUPS = (looking, one_saga, mends, definitions, explore, compare, data_folder, cdc)
COMMANDS = {command.name: command for group in _GROUPS for command in group.COMMANDS}


def main(argv: Sequence[str] | None = None) -> int:
    """Carries out one command; returns the exit code."""
    options = _parser().parse_args(argv)
    try:
        code = asyncio.run(_run(COMMANDS[options.command], options))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read has seen enough; Python would still flush as it leaves
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO
    except (AmendsError, OSError) as error:
        print(f"amends: {error}", file=sys.stderr)
        return NO if isinstance(error, (InUse, CannotMend)) else UNUSABLE
    except KeyboardInterrupt:
        return 130


async def _run(command: Command, options: argparse.Namespace) -> int:
    named = getattr(options, "app", None) or os.environ.get("AMENDS_APP") or _configured()
    app = App({}, {}) if command.alone else load_app(named)
    screen = Screen(getattr(options, "json", False))
    return await command.run(Desk(app, _home(app, options), screen, AsyncioRuntime(), named or ""), options)


def _home(app: App, options: argparse.Namespace) -> Home:
    """A server when one is named, else a data folder."""
    data, dsn = getattr(options, "data", None), getattr(options, "dsn", None) or os.environ.get("AMENDS_DSN")
    if dsn and not data:
        from amends.adapters.postgres.visitor import PostgresVisitor  # noqa: PLC0415 its driver is optional

        return PostgresVisitor(dsn, app.databases)
    return Visitor(Path(data or os.environ.get("AMENDS_DATA") or "data"), app.databases)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--data", metavar="DIR", help="the data folder (default: $AMENDS_DATA, else ./data)")
    common.add_argument(
        "--dsn", metavar="DSN", help="a server instead: postgresql://…/{database} (default: $AMENDS_DSN)"
    )
    common.add_argument("--app", metavar="MODULE:NAME", help="the program (default: $AMENDS_APP, else pyproject.toml)")
    common.add_argument("--json", action="store_true", help="print JSON")
    parser = argparse.ArgumentParser(
        "amends", description="Look at sagas, mend them, check their data.", parents=[common]
    )
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS.values():
        example = f"example: {command.example}"
        one = parsers.add_parser(
            command.name, help=command.help, description=command.help, epilog=example, parents=[common]
        )
        command.options(one)
    return parser


def load_app(name: str | None) -> App:
    """The `App` of that name, `module:attribute`; modules are also looked for here and in ./src. Raises `Unusable`."""
    module, _, attribute = (name or "").partition(":")
    if not module or not attribute:
        given = f"{name!r} is no MODULE:NAME" if name else "no program is given"
        raise Unusable(f'{given}: use --app, AMENDS_APP, or [tool.amends] app = "module:name" in ./pyproject.toml')
    app = load(f"{module}:{attribute}", "name an amends.app.App with --app")
    if not isinstance(app, App):
        raise Unusable(f"{name} is a {type(app).__name__}: name an amends.app.App with --app")
    return app


def _configured() -> str | None:
    path = Path("pyproject.toml")
    if not path.exists():
        return None
    name = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("amends", {}).get("app")
    return name if isinstance(name, str) else None
