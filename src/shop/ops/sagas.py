"""Sagas of all coordinators, as an operator looks for them."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from amends.mending import Action
from amends.pages import Instance, Mend
from amends.saga import Saga
from amends.state import Status
from shop.ops.desks import SagasDesk, Wanted, stands_at

CancelSagaOf = Callable[[str], Awaitable[str | None]]


class Found(NamedTuple):
    """A saga, the service whose it is, and its definition; None: this program doesn't have that any more."""

    service: str
    instance: Instance
    definition: Saga[Any] | None

    def at_work(self) -> list[str]:
        """The steps at which it stands."""
        return stands_at(self.definition, self.instance)


class Sagas:
    """Asks every service that coordinates; `desks` by its name."""

    def __init__(
        self, desks: Mapping[str, SagasDesk], definitions: Iterable[Saga[Any]], cancel_saga_of: CancelSagaOf
    ) -> None:
        self._desks = desks
        self._definitions = {(saga.name, saga.version): saga for saga in definitions}
        self._cancel_saga_of = cancel_saga_of

    def names(self) -> list[str]:
        """Of the definitions."""
        return sorted({name for name, _ in self._definitions})

    async def find(self, wanted: Wanted) -> list[Found]:
        """Newest first."""
        found = [self._found(name, each) for name, desk in self._desks.items() for each in await desk.find(wanted)]
        found.sort(key=lambda each: each.instance.id, reverse=True)
        return found[: wanted.limit]

    async def of(self, id: str) -> list[Found]:
        """The saga of this id, or those of the order of this id."""
        cancel = await self._cancel_saga_of(id)
        ids = [id] if cancel is None else [cancel, id]
        return [found for each in ids if (found := await self.get(each)) is not None]

    async def get(self, id: str) -> Found | None:
        for name, desk in self._desks.items():
            instance = await desk.get(id)
            if instance is not None:
                return self._found(name, instance)
        return None

    async def mends(self, found: Found) -> list[Mend]:
        return await self._desks[found.service].mends(found.instance.id)

    async def mend(self, found: Found, action: Action, who: str, why: str, step: str) -> Found:
        """Acts and records. Raises `CannotMend` with the cause."""
        after = await self._desks[found.service].mend(found.instance.id, action, who, why, step)
        return found._replace(instance=after)

    async def in_flight(self) -> dict[Status, int]:
        """How many have not ended."""
        counts = dict.fromkeys((Status.RUNNING, Status.COMPENSATING, Status.STUCK), 0)
        for desk in self._desks.values():
            for status, count in (await desk.in_flight()).items():
                counts[status] += count
        return counts

    def _found(self, service: str, instance: Instance) -> Found:
        return Found(service, instance, self._definitions.get((instance.name, instance.version)))
