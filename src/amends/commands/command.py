"""What a command is, and what it gets to work with."""

import importlib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from amends.app import App
from amends.commands.screen import Screen
from amends.errors import AmendsError
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Runtime, Storage

OK, NO, UNUSABLE = 0, 1, 2


class Unusable(AmendsError):
    """The command can't be carried out as it was given."""


class Home(Protocol):
    """Where a program's databases are: a data folder, or a server."""

    def open(self) -> AbstractAsyncContextManager[dict[str, Storage]]:
        """The storages by name."""

    def owner(self) -> str | None:
        """Who carries out what is asked; None: nobody at the moment."""

    async def migrate(self) -> list[str]:
        """Applies what is missing; returns what was applied."""


class Desk(NamedTuple):
    """Where a command works: the program's `App`, its databases, the screen, the clock, how the program is named."""

    app: App
    home: Home
    screen: Screen
    runtime: Runtime
    named: str = ""

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[dict[str, Storage]]:
        """The storages that hold sagas, by name."""
        async with self.home.open() as storages:
            yield {name: storages[name] for name in self.app.sagas}


def _no_options(_: ArgumentParser) -> None:
    """Only those that all commands have."""


class Command(NamedTuple):
    """`run` returns the exit code, `options` declares the arguments. `alone`: without a program."""

    name: str
    help: str
    example: str
    run: Callable[[Desk, Namespace], Awaitable[int]]
    options: Callable[[ArgumentParser], None] = _no_options
    alone: bool = False


def load(name: str, mend: str) -> object:
    """What is named `module:attribute`; modules are also looked for here and in ./src. Raises `Unusable`."""
    module, _, attribute = name.partition(":")
    for folder in (Path.cwd() / "src", Path.cwd()):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    try:
        found: object = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Unusable(f"{name} can't be loaded ({error}): {mend}") from error
    return found


async def find_saga(storages: dict[str, Storage], id: str) -> tuple[str, Instance] | None:
    """The saga and its database's name."""
    for name, storage in storages.items():
        async with storage.reading() as reader:
            for instance in (await storage.sagas.load(reader, [SagaId(id)])).values():
                return name, instance
    return None


def no_saga(id: str, databases: Iterable[str]) -> Unusable:
    return Unusable(f"no saga {id} in {', '.join(databases)}: `amends sagas` lists them")
