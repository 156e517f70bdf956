"""What a command is, and what it gets to work with."""

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


class Folder(Protocol):
    """A data folder seen from outside."""

    folder: Path

    def open(self) -> AbstractAsyncContextManager[dict[str, Storage]]: ...

    def owner(self) -> str | None:
        """The process that owns it, or None."""

    async def migrate(self) -> list[str]: ...


class Desk(NamedTuple):
    """Where a command works: the program's `App`, the data folder, the screen, the clock."""

    app: App
    folder: Folder
    screen: Screen
    runtime: Runtime

    @asynccontextmanager
    async def sagas(self) -> AsyncIterator[dict[str, Storage]]:
        """The storages that hold sagas, by name."""
        async with self.folder.open() as storages:
            yield {name: storages[name] for name in self.app.sagas}


class Command(NamedTuple):
    """`options` declares its arguments, `run` returns the exit code."""

    name: str
    help: str
    example: str
    options: Callable[[ArgumentParser], object]
    run: Callable[[Desk, Namespace], Awaitable[int]]


async def find_saga(storages: dict[str, Storage], id: str) -> tuple[str, Instance] | None:
    """The saga and its database's name."""
    for name, storage in storages.items():
        async with storage.reading() as reader:
            for instance in (await storage.sagas.load(reader, [SagaId(id)])).values():
                return name, instance
    return None


def no_saga(id: str, databases: Iterable[str]) -> Unusable:
    return Unusable(f"no saga {id} in {', '.join(databases)}: `amends sagas` lists them")
