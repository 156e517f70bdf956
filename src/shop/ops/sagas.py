"""Sagas of all coordinators, as an operator looks for them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from amends.connections import Reader
from amends.messages import SagaId
from amends.pages import Instance, Mend, SagaFilter
from amends.saga import Saga
from amends.service import Service
from amends.state import Phase, Status

AT_WORK = frozenset({Phase.ASKED, Phase.UNDOING, Phase.STUCK})
_MOVING = (Status.RUNNING.value, Status.COMPENSATING.value, Status.STUCK.value)
_PAGE = 500
_MOST_SCANNED = 20_000

CancelSagaOf = Callable[[str], Awaitable[str | None]]


class Found(NamedTuple):
    """A saga, where it lives, and its definition."""

    service: Service
    instance: Instance
    definition: Saga[Any]

    def at_work(self) -> list[str]:
        """The steps at which it stands."""
        states = zip(self.definition.steps, self.instance.state.steps, strict=True)
        return [step.name for step, state in states if state.phase in AT_WORK]


class Wanted(NamedTuple):
    """What an operator looks for; empty: any. `after` is the id of the last one seen."""

    state: str = ""
    name: str = ""
    step: str = ""
    started_before: float | None = None
    limit: int = 50
    after: str = ""


class Sagas:
    """Looks into the databases of every service that coordinates."""

    def __init__(self, services: Sequence[Service], cancel_saga_of: CancelSagaOf) -> None:
        self.services = [each for each in services if each.coordinator is not None]
        self._cancel_saga_of = cancel_saga_of

    def names(self) -> list[str]:
        """Of the definitions."""
        return sorted({name for each in self.services if each.coordinator for name, _ in each.coordinator.definitions})

    async def find(self, wanted: Wanted) -> list[Found]:
        """Newest first."""
        found: list[Found] = []
        for service in self.services:
            async with service.storage.reading() as reader:
                found += await _find_in(service, reader, wanted)
        found.sort(key=lambda each: each.instance.id, reverse=True)
        return found[: wanted.limit]

    async def of(self, id: str) -> list[Found]:
        """The saga of this id, or those of the order of this id."""
        cancel = await self._cancel_saga_of(id)
        ids = [id] if cancel is None else [cancel, id]
        return [found for each in ids if (found := await self.get(each)) is not None]

    async def get(self, id: str) -> Found | None:
        for service in self.services:
            async with service.storage.reading() as reader:
                loaded = await service.storage.sagas.load(reader, [SagaId(id)])
            for instance in loaded.values():
                return _found(service, instance)
        return None

    async def mends(self, found: Found) -> list[Mend]:
        async with found.service.storage.reading() as reader:
            return await found.service.storage.mends.of_saga(reader, found.instance.id)


async def _find_in(service: Service, reader: Reader, wanted: Wanted) -> list[Found]:
    found: list[Found] = []
    for status in _statuses(wanted):
        matching: list[Found] = []
        async for each in _scan(service, reader, wanted, status):
            if not wanted.step or wanted.step in each.at_work():
                matching.append(each)
            if len(matching) == wanted.limit:
                break
        found += matching
    return found


def _statuses(wanted: Wanted) -> Sequence[str | None]:
    """Only what hasn't ended stands at a step."""
    if wanted.state:
        return [wanted.state]
    return _MOVING if wanted.step else [None]


async def _scan(service: Service, reader: Reader, wanted: Wanted, status: str | None) -> AsyncIterator[Found]:
    """Page by page, up to a bound."""
    size = _PAGE if wanted.step else wanted.limit
    before = wanted.after or None
    for _ in range(_MOST_SCANNED // _PAGE):
        asked = SagaFilter(status, wanted.name or None, wanted.started_before, before, size)
        page = await service.storage.sagas.find(reader, asked)
        for instance in page:
            yield _found(service, instance)
        if len(page) < size:
            return
        before = page[-1].id


def _found(service: Service, instance: Instance) -> Found:
    assert service.coordinator is not None
    return Found(service, instance, service.coordinator.definitions[instance.name, instance.version])
