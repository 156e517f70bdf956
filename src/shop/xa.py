"""Votes by prepared transactions of PostgreSQL (`--xa`): which commands of which room, and what works beside it.

The rooms' other commands stay as they are. What began before the switch was turned ends as it began: it has commands of
its own. Turned off, prepared transactions wait until it is on again.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from amends import Command, Migration, Refusal
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.slots import Gauges
from amends.adapters.postgres.xa import XA_TABLES, XaParticipant, XaRunner
from amends.decisions import Log, LoggedDecisions
from amends.participant import Participant
from amends.ports import Storage
from amends.service import Service
from shop.billing import voting as billing
from shop.billing.contract import AbortPayment, CommitPayment, PreparePayment
from shop.delivery import voting as delivery
from shop.delivery.contract import AbortCourier, CommitCourier, PrepareCourier
from shop.orders.definitions import ALL
from shop.participants import PARTICIPANTS
from shop.warehouse import voting as warehouse
from shop.warehouse.contract import AbortStock, CommitStock, PrepareStock


class Vote(NamedTuple):
    """A room's commands, the effect of the first of them, and what it needs besides the tables of XA."""

    prepare: type[Command]
    commit: type[Command]
    abort: type[Command]
    effect: Callable[..., Awaitable[Refusal | None]]
    tables: tuple[str, ...] = ()


VOTES = {
    "billing": Vote(PreparePayment, CommitPayment, AbortPayment, billing.prepare_payment, billing.TABLES),
    "warehouse": Vote(PrepareStock, CommitStock, AbortStock, warehouse.prepare_stock),
    "delivery": Vote(PrepareCourier, CommitCourier, AbortCourier, delivery.prepare_courier),
}


class Voting:
    """The rooms of this process that can vote so, and what carries their votes out."""

    def __init__(self) -> None:
        self._bound: dict[str, XaParticipant] = {}
        self._runners: dict[str, XaRunner] = {}

    def participant(self, name: str) -> Participant | None:
        """A room's, with the commands of its votes; another room's as it is."""
        plain = PARTICIPANTS.get(name)
        if plain is None or name not in VOTES:
            return plain
        self._bound[name] = bound(plain)
        return self._bound[name].participant

    async def open(self, service: Service, dsn: str, orders: Storage, undo: AsyncExitStack) -> None:
        """Makes the tables and starts what carries votes out, by the decisions in the log of orders.

        Call it when `service.stop` is in `undo` and before the service starts. Raises `StorageError`.
        """
        xa = self._bound.get(service.name)
        if xa is not None:
            assert isinstance(service.storage, PostgresStorage)
            await service.storage.migrate_beside("xa", [Migration(1, "xa", (*XA_TABLES, *VOTES[xa.name].tables))])
            runner = XaRunner(xa, service, dsn, decisions=LoggedDecisions(Log(orders, ALL)))
            undo.push_async_callback(runner.stop)
            await runner.start()
            self._runners[service.name] = runner

    def show(self, gauges: Gauges) -> None:
        """How many transactions are prepared in each room and how old the oldest is."""
        labels = ("service",)
        gauges.gauge("amends_xa_prepared", "Transactions that are prepared", labels, self._count)
        gauges.gauge("amends_xa_oldest_seconds", "Age of the oldest of them", labels, self._age)

    async def _count(self) -> Mapping[tuple[str, ...], float]:
        return {(name,): runner.in_doubt.transactions for name, runner in self._runners.items()}

    async def _age(self) -> Mapping[tuple[str, ...], float]:
        return {(name,): runner.in_doubt.oldest_s for name, runner in self._runners.items()}


def bound(participant: Participant) -> XaParticipant:
    """A room's participant, which can also vote by prepared transactions."""
    vote, xa = VOTES[participant.name], XaParticipant(participant.copy())
    register: Any = xa.prepares(vote.prepare, commit=vote.commit, abort=vote.abort)
    register(vote.effect)
    return xa
