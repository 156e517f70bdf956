"""Clients of a simulated world: each wants one saga, and asks until it is told that it has begun."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import msgspec

from amends.connections import Tx
from amends.coordinator import Begin, Coordinator
from amends.idempotency import IdempotencyKeys, fingerprint
from amends.intake import Intake
from amends.messages import SagaId
from amends.pages import KeyScope, StoredAnswer
from amends.service import Service
from amends.testing.processes import Life
from amends.testing.worlds import World

_OPEN_S = 4.0
_ASKING_S = 10.0
_TRIES = 50
_PATIENCE_S = 4.0
_LEASE_S = 3.0


class Wanted(NamedTuple):
    """One client's intent: the key that it asks with, what makes its requests the same, and the saga's input."""

    scope: KeyScope
    fingerprint: bytes
    input: msgspec.Struct


class Clients:
    """`coordinators` are the processes that can be asked; `serving` are the services that run, by process.

    `acknowledged` are the sagas of which clients were told. Hurried clients ask a `Counter`, and don't wait for long.
    """

    def __init__(
        self, world: World, coordinators: Sequence[str], serving: Callable[[], Mapping[str, Service]], hurried: bool
    ) -> None:
        self.acknowledged: list[SagaId] = []
        self._world = world
        self._coordinators = coordinators
        self._serving = serving
        self._patience = Random(f"{world.seed} patience") if hurried else None

    async def ask(self, inputs: Sequence[tuple[float, msgspec.Struct]]) -> None:
        """Each asks from its time on, in seconds; returns when all have been told, or have given up."""
        loop = asyncio.get_running_loop()
        await asyncio.wait([loop.create_task(self._client(number, *each)) for number, each in enumerate(inputs)])

    async def _client(self, number: int, at: float, input: msgspec.Struct) -> None:
        await asyncio.sleep(at)
        for attempt in range(_TRIES):
            name = self._coordinators[(number + attempt) % len(self._coordinators)]
            service = self._serving().get(name)
            if service is not None and self._world.processes[name].life is Life.RUNNING:
                id = await self._asked(name, service, number, input)
                if id is not None:
                    self.acknowledged.append(id)
                    self._world.tell("client", "acknowledged", saga=id)
                    return
            await asyncio.sleep(1.0)

    async def _asked(self, name: str, service: Service, number: int, input: msgspec.Struct) -> SagaId | None:
        task = self._world.processes[name].spawn(_begun(service, number, input))
        patience_s = _ASKING_S if self._patience is None else self._patience.random() * _PATIENCE_S
        await asyncio.wait([task], timeout=patience_s)
        if self._patience is not None and not task.done() and self._patience.random() < 0.5:
            task.cancel()
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


class Counter:
    """Where hurried clients ask: keys are claimed first, sagas begun in batches. A `Door` of its service."""

    def __init__(self, service: Service) -> None:
        assert service.coordinator is not None
        self._service = service
        self._coordinator: Coordinator = service.coordinator
        self._keys = IdempotencyKeys(service.storage)
        self._intake: Intake[Wanted, SagaId] = Intake(self._begin, service.runtime)

    def start(self) -> None:
        self._intake.start("counter")

    async def stop(self) -> None:
        await self._intake.stop()

    async def begun(self, wanted: Wanted) -> SagaId:
        """Raises `KeyInUse` while somebody else is at it, and what the database raises."""
        known = await self._service.transact(lambda tx: self._keys.claim(tx, *wanted[:2], lease_s=_LEASE_S))
        return await self._intake.submit(wanted) if known is None else SagaId(known.body.decode())

    async def _begin(self, batch: Sequence[Wanted]) -> list[SagaId]:
        """Somebody else may have taken over a claim that is too old, and have begun the saga."""
        ids, begins = [], []
        async with self._service.storage.transaction(self._service.runtime.now()) as tx:
            for wanted in batch:
                begin = Begin(self._coordinator.new_id(), wanted.input)
                answer = _answer(wanted, begin.id)
                stands = await self._keys.finish(tx, wanted.scope, answer)
                ids.append(SagaId(stands.body.decode()))
                begins += [begin] if stands is answer else []
            if begins:
                await self._coordinator.start(tx, next(iter(self._coordinator.definitions.values())), begins)
        return ids


async def _begun(service: Service, number: int, input: msgspec.Struct) -> SagaId | None:
    """The saga of one client; None: the client is told that something is wrong, and asks again."""
    assert service.coordinator is not None
    saga = next(iter(service.coordinator.definitions.values()))
    wanted = Wanted(KeyScope("client", "start", saga.name, str(number)), fingerprint(msgspec.json.encode(input)), input)
    counter = next((door for door in service.doors if isinstance(door, Counter)), None)
    try:
        if counter is not None:
            return await counter.begun(wanted)
        async with service.storage.transaction(service.runtime.now()) as tx:
            return await _begin_once(tx, service, wanted)
    except Exception:  # the database's, or that it belongs elsewhere
        return None


async def _begin_once(tx: Tx, service: Service, wanted: Wanted) -> SagaId:
    """A client that asks again has the same key, and so the same saga."""
    coordinator, keys = service.coordinator, IdempotencyKeys(service.storage)
    assert coordinator is not None
    if (known := await keys.first(tx, wanted.scope, wanted.fingerprint)) is not None:
        return SagaId(known.body.decode())
    id = coordinator.new_id()
    await coordinator.start(tx, next(iter(coordinator.definitions.values())), [Begin(id, wanted.input)])
    await keys.store(tx, [(wanted.scope, _answer(wanted, id))])
    return id


def _answer(wanted: Wanted, id: SagaId) -> StoredAnswer:
    return StoredAnswer(wanted.fingerprint, 202, b"", id.encode(), 0.0)
