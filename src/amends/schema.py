"""Numbered migrations: a database knows how far it is, and a program refuses one that it does not know."""

from collections.abc import Sequence
from typing import NamedTuple

from amends.errors import WrongSchema


class Migration(NamedTuple):
    """Statements that take a database from version `number − 1` to `number`. Portable SQL, one statement a string."""

    number: int
    name: str
    statements: tuple[str, ...]


def missing(database: str, track: str, version: int, migrations: Sequence[Migration]) -> Sequence[Migration]:
    """What has still to be applied. Raises `WrongSchema` for a version from the future."""
    newest = migrations[-1].number if migrations else 0
    if version > newest:
        raise WrongSchema(
            f"database {database!r} has schema {track} version {version}, this program knows up to {newest}: "
            "run the version of the program that made it, or give another data folder"
        )
    return [migration for migration in migrations if migration.number > version]
