"""What a coordinator has decided about its sagas, as its log says: for participants that hold something for them.

    no such saga        abort: it never began, or its end is long past (presumed abort)
    gone backward       abort
    past the decision   commit
    still voting        undecided

Read it where the coordinator writes. A copy that lags behind does not know the youngest sagas, and would have them
aborted.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Storage
from amends.saga import Saga


class Fate(StrEnum):
    """What has to become of what a participant holds for a saga."""

    COMMIT = "commit"
    ABORT = "abort"
    UNDECIDED = "undecided"


class Decisions(Protocol):
    """Knows the fates of sagas; answers for each that it was asked for. Raises when it can't know."""

    async def __call__(self, sagas: Sequence[SagaId]) -> Mapping[SagaId, Fate]: ...


class Log(NamedTuple):
    """A coordinator's database, and the definitions that its sagas follow."""

    storage: Storage
    definitions: Iterable[Saga[Any]]


class LoggedDecisions:
    """`Decisions` by the pages `sagas` of coordinators: all that may ask the participant have to be named.

    decisions = LoggedDecisions(Log(PostgresStorage("postgresql://…/orders"), [pay]))
    """

    def __init__(self, *logs: Log) -> None:
        self._storages = [log.storage for log in logs]
        self._commit_groups = {(saga.name, saga.version): saga.commit_group for log in logs for saga in log.definitions}

    async def __call__(self, sagas: Sequence[SagaId]) -> Mapping[SagaId, Fate]:
        fates = dict.fromkeys(sagas, Fate.ABORT)
        for storage in self._storages:
            async with storage.reading() as reader:
                found = await storage.sagas.load(reader, sagas)
            fates |= {id: self._fate(instance) for id, instance in found.items()}
        return fates

    def _fate(self, instance: Instance) -> Fate:
        """Of a saga whose definition isn't known here, nobody can tell whether it is past its decision."""
        commit_group = self._commit_groups.get((instance.name, instance.version))
        if instance.state.backward:
            return Fate.ABORT
        if commit_group is None or instance.state.group < commit_group:
            return Fate.UNDECIDED
        return Fate.COMMIT
