"""The same work by several patterns: what a program gives so that `amends compare` can measure them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from amends.audit import Readers
from amends.decisions import Decisions
from amends.messages import SagaId
from amends.participant import Participant
from amends.ports import Runtime
from amends.saga import Saga
from amends.schema import Migration
from amends.service import Service
from amends.timers import Chore


class Part(NamedTuple):
    """What one database shows of one saga's work; `held`: it can be told from what is done for good."""

    database: str
    saga: SagaId
    held: bool


class Beside(Protocol):
    """What works beside a service: started before it, stopped before it."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Prepared:
    """A pattern whose votes are transactions that the server prepares.

    `tables` are the statements of a migration, by participant; `runner` gets a participant's service, the DSN of
    its database, and the coordinator's decisions.
    """

    tables: Mapping[str, Sequence[str]]
    runner: Callable[[Service, str, Decisions], Beside]


@dataclass(frozen=True)
class Pattern:
    """One way of doing the work.

    `until` says, for each step that reserves, the step with which that can't be undone any more. `participants` are
    those that differ from the comparison's own. With `prepared` it needs a server of PostgreSQL.
    """

    name: str
    saga: Saga[Any]
    until: Mapping[str, str]
    participants: Mapping[str, Participant]
    prepared: Prepared | None = None


Place = Callable[[int], Awaitable[SagaId]]
App = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Comparison:
    """The services of a world in which the work can be done, and the patterns to compare.

    `databases` names every service, with its migrations; `coordinator` is the one that starts the sagas. `sow` fills
    fresh databases; may run once. `placing` opens what starts sagas of a pattern: a function of their number. `look`
    finds what there is of sagas; `chores` are what a participant does by itself. `serve` opens a server for an ASGI
    app on the loopback and gives its address.
    """

    coordinator: str
    databases: Mapping[str, Sequence[Migration]]
    participants: Mapping[str, Participant]
    patterns: Sequence[Pattern]
    sow: Callable[[Mapping[str, Service]], Awaitable[None]]
    placing: Callable[[Service, Pattern], AbstractAsyncContextManager[Place]]
    look: Callable[[Readers, Sequence[SagaId]], Awaitable[Sequence[Part]]]
    chores: Callable[[Service], Sequence[Chore]]
    serve: Callable[[App, Runtime], AbstractAsyncContextManager[str]]
