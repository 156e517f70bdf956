"""What may be asked of any service directly: is it ready; of one that coordinates: its sagas, and to mend them; of one
that takes commands: to break."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from amends.connections import Reader
from amends.errors import CannotMend
from amends.faults import Fault, Faults
from amends.mending import Action
from amends.messages import SagaId
from amends.pages import Instance, Mend, SagaFilter
from amends.plan import at_work
from amends.saga import Saga
from amends.service import Service
from amends.state import Status
from shop.web.problems import Problem

_MOVING = (Status.RUNNING.value, Status.COMPENSATING.value, Status.STUCK.value)
_PAGE = 500
_MOST_SCANNED = 20_000


class Wanted(NamedTuple):
    """What an operator looks for; empty: any. `after` is the id of the last one seen."""

    state: str = ""
    name: str = ""
    step: str = ""
    started_before: float | None = None
    limit: int = 50
    after: str = ""


class HealthDesk:
    """Any service, for whoever wants to know whether it can serve."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def missing(self) -> list[str]:
        """What keeps it from serving. Raises what its database raises."""
        async with self._service.storage.reading() as reader:
            await reader.fetch("select 1")
            coordinator = self._service.coordinator
            if coordinator is None or await coordinator.shards.current(reader):
                return []
        return ["another process coordinates its sagas"]


class FaultsDesk:
    """The faults of one room, for operators and for storefronts whose clients may set them."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def shown(self) -> list[Fault]:
        """What is set. Raises `Problem` where no fault can be set."""
        return self._faults().shown()

    async def put(self, fault: Fault) -> list[Fault]:
        """Sets it in place of the one of the same saga; returns what is set now. Raises `Problem`."""
        try:
            self._faults().put(fault)
        except ValueError as error:
            raise Problem(400, "bad-request", str(error)) from error
        return await self.shown()

    def _faults(self) -> Faults:
        if self._service.faults is None:
            mend = "start it with `shop up --faults`, or its process with `shop serve … --faults`"
            raise Problem(404, "faults-off", f"{self._service.name} can't be broken on purpose: {mend}")
        return self._service.faults


class SagasDesk:
    """The sagas of one service, for operators. Definitions don't travel: whoever asks has them, too."""

    def __init__(self, service: Service) -> None:
        assert service.coordinator is not None, f"service {service.name} coordinates no sagas"
        assert service.operator is not None
        self._service = service
        self._storage = service.storage
        self._definitions = service.coordinator.definitions
        self._operator = service.operator

    async def find(self, wanted: Wanted) -> list[Instance]:
        """Newest first, at most `limit` of each state."""
        async with self._storage.reading() as reader:
            return [each for status in _statuses(wanted) for each in await self._find(reader, wanted, status)]

    async def get(self, id: str) -> Instance | None:
        async with self._storage.reading() as reader:
            return (await self._storage.sagas.load(reader, [SagaId(id)])).get(SagaId(id))

    async def mends(self, id: str) -> list[Mend]:
        """What operators did to a saga, or asked for."""
        async with self._storage.reading() as reader:
            return await self._storage.mends.of_saga(reader, SagaId(id))

    async def mend(self, id: str, action: Action, who: str, why: str, step: str) -> Instance:
        """Acts and records, on one stuck step or, when it is empty, on all. Raises `CannotMend` with the cause."""
        try:
            return await self._service.transact(
                lambda tx: self._operator.mend_in(tx, SagaId(id), action, who, why, step)
            )
        except LookupError as error:
            raise CannotMend(f"there is no saga {id}, or its definition is gone") from error

    async def in_flight(self) -> dict[Status, int]:
        """How many sagas have not ended, stuck ones included."""
        async with self._storage.reading() as reader:
            return await self._storage.sagas.count(reader)

    async def _find(self, reader: Reader, wanted: Wanted, status: str | None) -> list[Instance]:
        matching: list[Instance] = []
        async for each in self._scan(reader, wanted, status):
            if not wanted.step or wanted.step in stands_at(self._definitions.get((each.name, each.version)), each):
                matching.append(each)
            if len(matching) == wanted.limit:
                break
        return matching

    async def _scan(self, reader: Reader, wanted: Wanted, status: str | None) -> AsyncIterator[Instance]:
        """Page by page, up to a bound."""
        size = _PAGE if wanted.step else wanted.limit
        before = wanted.after or None
        for _ in range(_MOST_SCANNED // _PAGE):
            asked = SagaFilter(status, wanted.name or None, wanted.started_before, before, size)
            page = await self._storage.sagas.find(reader, asked)
            for instance in page:
                yield instance
            if len(page) < size:
                return
            before = page[-1].id


def stands_at(definition: Saga[Any] | None, instance: Instance) -> list[str]:
    """The steps at which a saga is at work."""
    return [step_name(definition, at) for at in at_work(instance.state)]


def step_name(definition: Saga[Any] | None, at: int) -> str:
    """An old saga may follow a definition that is gone: its steps are numbered then."""
    return f"step {at + 1}" if definition is None else definition.steps[at].name


def _statuses(wanted: Wanted) -> Sequence[str | None]:
    """Only what hasn't ended stands at a step."""
    if wanted.state:
        return [wanted.state]
    return _MOVING if wanted.step else [None]
