"""What a program built on Amends consists of, for tools that look at it from outside: the command line, the auditor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amends.audit import Check
from amends.saga import Saga
from amends.schema import Migration


@dataclass(frozen=True)
class App:
    """`databases` names each service's database, with its own migrations; `sagas` the definitions by database.

    `checks` get a reader for each database, by name.
    """

    databases: Mapping[str, Sequence[Migration]]
    sagas: Mapping[str, Sequence[Saga[Any]]]
    checks: Sequence[Check] = field(default=())

    def definition(self, name: str, version: str = "") -> Saga[Any] | None:
        """The saga of that name, of that version when one is given."""
        for saga in (saga for sagas in self.sagas.values() for saga in sagas):
            if saga.name == name and version in ("", saga.version):
                return saga
        return None
