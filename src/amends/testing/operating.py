"""A person who looks after a simulated world: mends or cancels sagas, has messages tried again that were given up."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from random import Random
from typing import Any, NamedTuple

from amends.mending import Action
from amends.messages import SagaId
from amends.pages import Instance, Mend
from amends.service import Service
from amends.state import ENDED
from amends.testing.processes import Life
from amends.testing.worlds import World, storage_of

_AWAY = "select 1 from parked where retry_at is null and attempts > 0"


class Wish(NamedTuple):
    """What is to be done to a saga: to a step that is stuck, or, when that is empty, to all that are.

    `saga` is named when it is another one than was looked at; people mistype. Before they act they think for
    `thinks_s` seconds.
    """

    action: Action
    step: str = ""
    saga: str = ""
    thinks_s: float = 0.0


Mends = Callable[[Instance, Random], Wish | None]
"""What is done about a saga that has not ended, if anything."""

_WHO, _WHY = "olga", "by chance"
_COMES_S = 3.0
_MOST = 1_000


class Person:
    """Asks a coordinator's process, or writes into its database as `amends retry` does, which of the two by chance.

    `serving` are the services that can be asked, by the names of their processes; `database` is that of the sagas.
    """

    def __init__(self, world: World, mends: Mends, database: str, serving: Callable[[], Mapping[str, Service]]) -> None:
        self._world = world
        self._mends = mends
        self._database = database
        self._serving = serving
        self._chance = Random(f"{world.seed} operator")

    async def work(self) -> None:
        """Comes again and again."""
        while True:
            await asyncio.sleep(self._chance.random() * _COMES_S)
            try:
                await self._look()
            except Exception as error:  # what can't be reached, or done, now: another time
                self._world.tell(_WHO, "could not mend", f"{type(error).__name__}: {error}")

    async def _look(self) -> None:
        async with storage_of(self._world, self._database).reading() as reader:
            ids = [SagaId(id) for (id,) in await reader.fetch("select id from sagas order by id")]
            sagas = await storage_of(self._world, self._database).sagas.load(reader, ids)
        for id, instance in sorted(sagas.items()):
            wish = None if instance.state.status in ENDED else self._mends(instance, self._chance)
            if wish is not None:
                self._world.tell(_WHO, "wants", f"{wish.action} {wish.step}".rstrip(), wish.saga or id)
                await asyncio.sleep(wish.thinks_s)
                await self._mend(SagaId(wish.saga) if wish.saga else id, wish)
        for name, service in self._running():
            if self._world.databases[service.name].connection.execute(_AWAY).fetchall():
                self._world.tell(_WHO, "has messages tried again", service.name)
                await self._asked(name, _unpark(service))

    def _running(self) -> list[tuple[str, Service]]:
        processes = self._world.processes
        return [each for each in self._serving().items() if processes[each[0]].life is Life.RUNNING]

    async def _mend(self, id: SagaId, wish: Wish) -> None:
        coordinators = [each for each in self._running() if each[1].operator is not None]
        if coordinators and self._chance.random() < 0.5:
            name, service = self._chance.choice(coordinators)
            await self._asked(name, _mend(service, id, wish))
        else:
            await self._write(id, wish)

    async def _asked(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wait([self._world.processes[name].spawn(_told(self._world, work))], timeout=_COMES_S)

    async def _write(self, id: SagaId, wish: Wish) -> None:
        now, mend = self._world.loop.time(), f"{self._chance.getrandbits(64):016x}"
        storage = storage_of(self._world, self._database)
        async with storage.transaction(now) as tx:
            await storage.mends.insert(tx, Mend(mend, id, wish.step, wish.action.value, _WHO, _WHY, now))


async def _mend(service: Service, id: SagaId, wish: Wish) -> None:
    assert service.operator is not None
    await service.operator.mend(id, wish.action, _WHO, _WHY, wish.step)


async def _unpark(service: Service) -> None:
    async with service.storage.reading() as reader:
        rows = await service.storage.parking.all(reader, _MOST)
    ids = [row.envelope.id for row in rows if row.retry_at is None and row.attempts]
    for worker in service.workers:
        await worker.unpark(ids)


async def _told(world: World, work: Coroutine[Any, Any, None]) -> None:
    """An error is the person's business, not the process's."""
    try:
        await work
    except Exception as error:
        world.tell(_WHO, "is told", f"{type(error).__name__}: {error}")
