"""What others see of orders that are under way, and what is left of them when the coordinator is killed.

child: participants have reserved, the coordinator lacks the last answer ──look──▶ what others see
  └─ kill -9 ──look──▶ left ──┬─ participants alone, an hour later ──look──▶ left when it never comes back
                              └─ started again ──every saga ended──look──▶ left after recovery
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.commands.comparing.where import Where, reading
from amends.commands.comparing.world import opened
from amends.comparison import Comparison, Part, Pattern
from amends.connections import Reader
from amends.errors import AmendsError
from amends.messages import SagaId
from amends.pages import Instance
from amends.ports import Runtime, Storage
from amends.service import Service
from amends.signals import Signals
from amends.state import ENDED, Phase, Status

SAGAS = 20
STILL_S, ENDED_WITHIN_S, LATER_S = 3.0, 30.0, 3_600.0
_START_S = 60.0
_AGAIN_S = 0.05
_prepared = "select count(*) from pg_prepared_xacts where database = current_database()"


class Task(msgspec.Struct, frozen=True):
    """What the child does: opens the comparison `name` of the program `app`, places `sagas`, waits to be killed."""

    app: str
    name: str
    pattern: str
    where: Where
    sagas: int


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """Parts that others see, by database: as `held`, or as done for `good`; `prepared`: transactions of the server."""

    held: dict[str, int]
    good: dict[str, int]
    prepared: int


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """`seen` before the kill, of sagas that were not decided; `never`: an hour later, when nobody starts it again.

    `ends` counts how the sagas stand after the new start, `open` is what is left then of those that have not ended.
    """

    sagas: int
    seen: Left
    left: Left
    never: Left | None
    open: Left
    ends: dict[str, int]


class ChildFailed(AmendsError):
    """The process that was to be killed has ended by itself."""


class Kill:
    """One pattern in one place, from the first order to the recovery."""

    def __init__(self, comparison: Comparison, pattern: Pattern, where: Where, runtime: Runtime) -> None:
        self._comparison = comparison
        self._pattern = pattern
        self._where = where
        self._runtime = runtime
        self._ids: list[SagaId] = []

    async def run(self, app: str, name: str, sagas: int = SAGAS) -> Killed:
        """Raises `ChildFailed`."""
        databases = self._comparison.databases
        task = Task(app, name, self._pattern.name, self._where, sagas)
        async with self._child(task), self._where.storages(databases) as storages:
            seen = await self._until_reserved(storages, sagas)
        async with self._where.storages(databases) as storages:
            left = await self._look(storages, self._ids)
        never = None if self._where.postgres else await self._alone()
        open_, ends = await self._again()
        return Killed(sagas=sagas, seen=seen, left=left, never=never, open=open_, ends=ends)

    @asynccontextmanager
    async def _child(self, task: Task) -> AsyncIterator[None]:
        """Placed its orders when this begins, killed when it ends."""
        program = [sys.executable, "-m", "amends.commands.comparing.child"]
        pipe = subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe, stderr=pipe, env=_environment())
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        try:
            child.stdin.write(msgspec.json.encode(task) + b"\n")
            line = await self._runtime.within(_START_S, child.stdout.readline())
            if not line:
                said = "it says nothing" if line is None else (await child.stderr.read()).decode()[-2000:]
                raise ChildFailed(f"the process that was to be killed has not started: {said}")
            self._ids = msgspec.json.decode(line, type=list[SagaId])
            yield
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()

    async def _until_reserved(self, storages: dict[str, Storage], sagas: int) -> Left:
        """What is seen of undecided sagas when everything is reserved, or when no more is after a while."""
        until = self._runtime.now() + STILL_S
        while True:
            seen = await self._look(storages, self._ids, undecided=True)
            count = sum(seen.held.values()) + sum(seen.good.values()) + seen.prepared
            if count >= sagas * len(self._pattern.until) or self._runtime.now() > until:
                return seen
            await self._runtime.sleep(_AGAIN_S)

    async def _again(self) -> tuple[Left, dict[str, int]]:
        """The same world, started anew, until all sagas have ended or patience has."""
        async with opened(self._comparison, self._pattern, self._where, self._runtime) as world:
            until = self._runtime.now() + ENDED_WITHIN_S
            storages = {name: service.storage for name, service in world.services.items()}
            while True:
                sagas = await _sagas(world.home.storage, self._ids)
                going = [each.id for each in sagas if each.state.status not in ENDED]
                stuck = all(each.state.status in ENDED | {Status.STUCK} for each in sagas)
                if stuck or self._runtime.now() > until:
                    return await self._look(storages, going), dict(Counter(each.state.status.value for each in sagas))
                await self._runtime.sleep(_AGAIN_S)

    async def _alone(self) -> Left:
        """A copy of the files, on which only participants work, an hour later."""
        folder = f"{self._where.folder}-later"
        shutil.copytree(self._where.folder, folder)
        there = msgspec.structs.replace(self._where, folder=folder)
        later = Later(LATER_S)
        async with there.storages(self._comparison.databases) as storages, AsyncExitStack() as stack:
            for name, storage in storages.items():
                if name != self._comparison.coordinator:
                    service = Service(storage, InProcess(), later, Signals())
                    stack.push_async_callback(service.stop)
                    for chore in self._comparison.chores(service):
                        await chore()
            return await self._look(storages, self._ids)

    async def _look(self, storages: dict[str, Storage], ids: Sequence[SagaId], undecided: bool = False) -> Left:
        """`undecided`: only what is shown of sagas that are found undecided afterwards."""
        async with reading(storages) as readers:
            parts = await self._comparison.look(readers, ids)
            prepared = await self._prepared(readers) if ids else 0
        if undecided:
            sagas = await _sagas(storages[self._comparison.coordinator], ids)
            open_ = {each.id for each in sagas if not _is_decided(self._pattern, each)}
            parts = [part for part in parts if part.saga in open_]
        return Left(held=_by_database(parts, True), good=_by_database(parts, False), prepared=prepared)

    async def _prepared(self, readers: Mapping[str, Reader]) -> int:
        if self._pattern.prepared is None:
            return 0
        counts = [await readers[name].fetch(_prepared) for name in self._pattern.participants]
        return sum(count for [(count,)] in counts)


class Later(AsyncioRuntime):
    """The same world, so many seconds later."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def now(self) -> float:
        return super().now() + self._seconds


async def _sagas(storage: Storage, ids: Sequence[SagaId]) -> list[Instance]:
    async with storage.reading() as reader:
        return list((await storage.sagas.load(reader, ids)).values())


def _is_decided(pattern: Pattern, instance: Instance) -> bool:
    """Past its pivot, or turned back: what it has done stays, or goes."""
    group = pattern.saga.groups[pattern.saga.commit_group]
    passed = instance.state.steps[group[0]].phase is Phase.DONE
    return passed or instance.state.backward or instance.state.status in ENDED


def _by_database(parts: Sequence[Part], held: bool) -> dict[str, int]:
    return dict(sorted(Counter(part.database for part in parts if part.held is held).items()))


def _environment() -> dict[str, str]:
    """The child finds the program where this process has found it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
