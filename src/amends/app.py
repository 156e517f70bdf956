"""What a program built on Amends consists of, for tools that look at it from outside: the command line, the auditor."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amends.audit import Check
from amends.comparison import Comparison
from amends.saga import Saga
from amends.schema import Migration


@dataclass(frozen=True)
class App:
    """`databases` names each service's database, with its own migrations; `sagas` the definitions by database.

    `checks` get a reader for each database, by name. `comparisons` are made when they are asked for.
    """

    databases: Mapping[str, Sequence[Migration]]
    sagas: Mapping[str, Sequence[Saga[Any]]]
    checks: Sequence[Check] = field(default=())
    comparisons: Mapping[str, Callable[[], Comparison]] = field(default_factory=dict)

    def definition(self, name: str, version: str = "") -> Saga[Any] | None:
        """The saga of that name, of that version when one is given."""
        for saga in (saga for sagas in self.sagas.values() for saga in sagas):
            if saga.name == name and version in ("", saga.version):
                return saga
        return None
