"""One service: its database, its outbox, its coordinator and participant, and the workers that drive them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from amends.connections import Tx
from amends.coordinator import IN_FLIGHT, Coordinator
from amends.faults import Faults
from amends.operator import Operator
from amends.outbox import OutboxRelay
from amends.participant import Participant
from amends.participant_hop import ParticipantHop
from amends.ports import Runtime, ShardOwner, Storage, Tracer, Transport
from amends.saga import Saga
from amends.signals import Signals
from amends.stumbling import again
from amends.timers import Chore, Ticker
from amends.worker import MOST, Hop, Worker

R = TypeVar("R")


class Door(Protocol):
    """A way in beside the transport."""

    async def stop(self) -> None:
        """Lets nothing more in; what is in is finished."""


class Service:
    """Built from its parts; `start` before use, `stop` lets the hops at work finish.

    `doors` are stopped with it, before anything else. Without a `tracer` it makes no spans; with `faults` its
    participant does what they say.
    """

    def __init__(
        self,
        storage: Storage,
        transport: Transport,
        runtime: Runtime,
        signals: Signals,
        *,
        participant: Participant | None = None,
        definitions: Sequence[Saga[Any]] = (),
        limit: int = IN_FLIGHT,
        chores: Sequence[Chore] = (),
        tracer: Tracer | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.name = storage.name
        self.storage = storage
        self.runtime = runtime
        self.signals = signals
        self.relay = OutboxRelay(storage, transport, runtime)
        self.hop: ParticipantHop | None = None
        self.coordinator: Coordinator | None = None
        self.operator: Operator | None = None
        self.workers: list[Worker] = []
        self.doors: list[Door] = []
        self.faults = faults
        self._chores = list(chores)
        if participant is not None:
            self._take_part(participant, transport, tracer)
        if definitions:
            self._coordinate(definitions, transport, limit, tracer)
        self._ticker = Ticker([*self._chores, self.relay.tidy], runtime, signals)

    async def start(self) -> None:
        """Sends what a crash left, takes over what nobody else looks after, then takes messages."""
        await self.relay.sweep(everything=True)
        for worker in reversed(self.workers):
            await worker.start()
        self._ticker.start(f"{self.name} timers")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A transaction of the service's own database, outside a hop; what it tells is sent when it commits."""
        async with self.storage.transaction(self.runtime.now()) as tx:
            yield tx
            if tx.told:
                await self.relay.put(tx, ())

    async def transact(self, work: Callable[[Tx], Awaitable[R]]) -> R:
        """The result of `work` in such a transaction, begun anew when it stumbles over another one."""

        async def once() -> R:
            async with self.transaction() as tx:
                return await work(tx)

        return await again(once, self.runtime)

    async def stop(self) -> None:
        for door in self.doors:
            await door.stop()
        self._ticker.stop()
        if self.faults is not None:
            await self.faults.stop()
        for worker in self.workers:
            worker.stop()
        for worker in self.workers:
            await worker.stopped()
        await self._ticker.stopped()
        await self.storage.close()

    def _take_part(self, participant: Participant, transport: Transport, tracer: Tracer | None) -> None:
        storage, runtime, signals, faults = self.storage, self.runtime, self.signals, self.faults
        replies = self.relay if faults is None else faults.replies(self.relay, storage, signals)
        self.hop = ParticipantHop(participant, storage, replies, runtime, signals, tracer, faults)
        hop = self.hop.hop if faults is None else faults.around(self.hop.hop, signals)
        self._add_worker(hop, transport, participant.name, MOST, None)
        for topic in participant.topics:
            self._add_worker(hop, transport, topic, MOST, None, group=participant.name)

    def _coordinate(
        self, definitions: Sequence[Saga[Any]], transport: Transport, limit: int, tracer: Tracer | None
    ) -> None:
        address = f"{self.name}.coordinator"
        self.coordinator = Coordinator(
            address,
            definitions,
            self.storage,
            self.relay,
            self.runtime,
            self.signals,
            limit,
            partial(transport.shard_of, address),
            tracer=tracer,
        )
        self.operator = Operator(self.coordinator, self.storage, self.runtime)
        self._chores += [self._regain, self.coordinator.expire, self.operator.carry_out]
        self._add_worker(self.coordinator.hop, transport, address, 4 * MOST, self.coordinator)

    async def _regain(self) -> None:
        """Takes over again what another process has taken from this one by mistake."""
        if self.coordinator and (missing := self.coordinator.shards.missing(self.runtime.now())):
            await self.coordinator.gained(missing)

    def _add_worker(
        self, hop: Hop, transport: Transport, address: str, most: int, owner: ShardOwner | None, group: str = ""
    ) -> None:
        worker = Worker(
            hop,
            address,
            transport.subscribe(address, group),
            self.storage,
            self.runtime,
            self.signals,
            most=most,
            take_over=self.relay.take_over,
            owner=owner,
            shard_of=partial(transport.shard_of, address),
        )
        self.workers.append(worker)
        self._chores.append(worker.retry_due)
