"""What a command is, and what it gets to work with."""

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple

from amends.adapters.sqlite.visitor import Visitor
from amends.app import App
from amends.commands.screen import Screen
from amends.errors import AmendsError
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Runtime, Storage

OK, NO, UNUSABLE = 0, 1, 2


class Unusable(AmendsError):
    """The command can't be carried out as it was given."""


class Desk(NamedTuple):
    """Where a command works: the program's `App`, the data folder, the screen, the clock."""

    app: App
    folder: Visitor
    screen: Screen
    runtime: Runtime

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[dict[str, Storage]]:
        """The storages that hold sagas, by name."""
        async with self.folder.open() as storages:
            yield {name: storages[name] for name in self.app.sagas}


def _no_options(_: ArgumentParser) -> None:
    """Only those that all commands have."""


class Command(NamedTuple):
    """`run` returns the exit code, `options` declares the arguments."""

    name: str
    help: str
    example: str
    run: Callable[[Desk, Namespace], Awaitable[int]]
    options: Callable[[ArgumentParser], None] = _no_options


async def find_saga(storages: dict[str, Storage], id: str) -> tuple[str, Instance] | None:
    """The saga and its database's name."""
    for name, storage in storages.items():
        async with storage.reading() as reader:
            for instance in (await storage.sagas.load(reader, [SagaId(id)])).values():
                return name, instance
    return None


def no_saga(id: str, databases: Iterable[str]) -> Unusable:
    return Unusable(f"no saga {id} in {', '.join(databases)}: `amends sagas` lists them")
