"""A room: one service of the shop, as data for the composition root."""

from dataclasses import dataclass
from typing import Any

from amends import Migration, Participant, Saga


@dataclass(frozen=True, slots=True)
class Room:
    """`participant` takes commands, `definitions` are the sagas that start here, `migrations` make the tables."""

    name: str
    migrations: tuple[Migration, ...]
    participant: Participant | None = None
    definitions: tuple[Saga[Any], ...] = ()
