"""The page of commands, made from the parsers: `python -m tests.docs.command_line` writes it."""

import argparse
from collections.abc import Iterator

from amends import cli
from shop import main
from shop.settings import PORTS, Settings
from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "reference" / "command-line.md"
_HEAD = """\
# Commands and settings

Both commands are in `.venv/bin`. This page is made from what they say themselves (`--help`).
"""
_SETTINGS = """\
## Settings of the shop

| setting | default | command line |
|---|---|---|
{rows}

## Settings of amends

The program that it looks at is an `amends.app.App`: `--app`, else the environment variable `AMENDS_APP`, else `app` in
the table `[tool.amends]` of `./pyproject.toml`. The data folder: `--data`, else `AMENDS_DATA`, else `./data`.
Exit codes: 0 all is well; 1 no, or not possible now; 2 the command can't be carried out as it was given.

Every command takes

{common}
"""


def parser_of(program: str) -> argparse.ArgumentParser:
    return main.parser() if program == "shop" else cli._parser()


def page() -> str:
    common = "\n".join(["| argument | means |", "|---|---|", *map(_row, _actions(parser_of("amends")))])
    settings = _SETTINGS.format(rows=_settings(), common=common)
    sections = [section for program in ("shop", "amends") for section in _sections(program)]
    return "\n".join([_HEAD, settings, *sections])


def _sections(program: str) -> Iterator[str]:
    common = {action.dest for action in _actions(parser_of(program))}
    for command, help, parser in _commands(parser_of(program)):
        rows = [_row(action) for action in _actions(parser) if action.dest not in common]
        table = ["| argument | means |", "|---|---|", *rows, ""] if rows else []
        example = f"    .venv/bin/{(parser.epilog or '').removeprefix('example: ')}"
        yield "\n".join([f"## {program} {command}\n", f"{help[0].upper()}{help[1:]}\n", *table, example, ""])


def _commands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Of a command with verbs, its verbs."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for pseudo in action._choices_actions:
                name, help, one = f"{before}{pseudo.dest}", pseudo.help or "", action.choices[pseudo.dest]
                verbs = list(_commands(one, f"{name} "))
                yield from verbs or [(name, help if help.endswith("?") else f"{help}.", one)]


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    left_out = (argparse._HelpAction, argparse._SubParsersAction)
    return [action for action in parser._actions if not isinstance(action, left_out)]


def _row(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    named = f"{action.option_strings[-1]} {value}" if action.option_strings and action.nargs != 0 else ""
    plain = named or (action.option_strings[-1] if action.option_strings else str(value))
    needed = " (required)" if action.required and action.option_strings else ""
    return f"| `{plain.replace('|', chr(92) + '|')}` | {action.help}{needed} |"


def _settings() -> str:
    settings = Settings()
    ports = ",".join(f"{name}={port}" for name, port in PORTS.items())
    rows = [("data folder", f"./{settings.data}", "--data"), ("address to listen on", settings.host, "--host")]
    rows += [("ports", ports, "--ports"), ("sagas in flight before 503", str(settings.limit), "--limit")]
    return "\n".join(f"| {name} | `{default}` | `shop up {option}` |" for name, default, option in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
