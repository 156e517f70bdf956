"""One saga, its participants, and a world around them: run, healed, settled, judged."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, NamedTuple

import msgspec

from amends.audit import Check
from amends.coordinator import IN_FLIGHT
from amends.decisions import Decisions, Log, LoggedDecisions
from amends.messages import Envelope, Operation, Outcome, SagaId
from amends.pages import BarrierKey, Instance
from amends.participant import Participant
from amends.saga import Saga
from amends.schema import Migration
from amends.service import Service
from amends.signals import Signals
from amends.state import ENDED, Phase
from amends.testing.chances import HIGHEST, Fault
from amends.testing.clients import Clients, Counter
from amends.testing.histories import Record
from amends.testing.loop import NothingLeft, TooLong
from amends.testing.operating import Mends, Person
from amends.testing.points import Point
from amends.testing.processes import Process
from amends.testing.programs import Build, Deployments, Program
from amends.testing.unrest import unrest
from amends.testing.watched import Heard, Observed, Refusing, failing, last
from amends.testing.worlds import World, storage_of
from amends.timers import Chore

COORDINATOR = "sagas"
_OPEN_S = 4.0
_TROUBLED_S = 8.0
_LONGEST_S = 900.0
_GRAIN_S = 1.0
_STRAYS = 6
_BY_HAND = {Phase.SKIPPED, Phase.RESOLVED}


class Violation(NamedTuple):
    """What does not hold, and the figures, ids or states that show it."""

    what: str
    detail: str


@dataclass(frozen=True)
class Scenario:
    """What a seed runs: `sagas` of a definition, with inputs that `inputs` makes from chance.

    `participants` are those that its commands name; a participant's migrations go by its name. `invariants` look at the
    databases when everything has ended: `sagas` is the coordinator's, the others are named like their participants.
    `chores` are what a participant's process does beside its hops, every tick, given its service. `operator` says what
    a person does about a saga that has not ended; steps that are skipped or resolved are that person's word. No more
    than `limit` sagas are in flight. Sagas may have begun with `older` definitions; `builds` are what else may be
    deployed for some seconds, by participant, or as "sagas". `janitors` are chores that know the coordinator's
    decisions. `strays` makes what somebody sends whom nobody knows. `hurried` clients claim their keys in a transaction
    of their own, and may be gone before they are answered. In a `steady` scenario every seed has all `faults`, at these
    rates. Whatever a handler touches outside its transaction has to be made anew by the function that makes the
    scenario.
    """

    saga: Saga[Any]
    participants: Sequence[Participant]
    inputs: Callable[[Random], msgspec.Struct]
    migrations: Mapping[str, Sequence[Migration]] = field(default_factory=dict)
    invariants: Sequence[Check] = ()
    sagas: int = 20
    faults: Mapping[str, float] = field(default_factory=lambda: HIGHEST)
    chores: Mapping[str, Callable[[Service], Awaitable[object]]] = field(default_factory=dict)
    operator: Mends | None = None
    limit: int = IN_FLIGHT
    older: Sequence[Saga[Any]] = ()
    builds: Mapping[str, Sequence[Build]] = field(default_factory=dict)
    janitors: Mapping[str, Callable[[Service, Decisions], Awaitable[object]]] = field(default_factory=dict)
    strays: Callable[[Random], Envelope] | None = None
    hurried: bool = False
    steady: bool = False


class Outcomes(NamedTuple):
    """What a seed came to."""

    seed: int
    violations: list[Violation]
    record: Record
    happened: Sequence[Fault]
    ended: Mapping[str, int]
    points: Sequence[Point] = ()


def play(
    scenario: Scenario,
    seed: int,
    *,
    rates: Mapping[str, float] | None = None,
    without: Collection[Fault] = (),
    only: Collection[Fault] | None = None,
    sagas: int | None = None,
    crashes: Collection[Point] = (),
) -> Outcomes:
    """Runs one seed from beginning to end; processes end at the points `crashes`, too.

    `rates` of the faults are drawn by seed unless given; those of `without` don't happen, or none `only` these.
    """
    rates = scenario.faults if scenario.steady and rates is None else rates
    run = _Run(scenario, seed, scenario.sagas if sagas is None else sagas, rates, without, only)
    run.world.crashes = frozenset(crashes)
    try:
        run.go()
        return run.outcomes()
    finally:
        run.world.close()


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        sagas: int,
        rates: Mapping[str, float] | None,
        without: Collection[Fault],
        only: Collection[Fault] | None,
    ) -> None:
        shape = Random(f"{seed} scenario")
        copies, shards = shape.choice([(1, 1), (1, 1), (2, 2), (2, 5)])
        self.scenario = scenario
        self.world = World(seed, rates, without, only=only, shards=shards, highest=scenario.faults)
        self.world.hurry(shape.choice([0.0, 0.3, 1.0, 1.0, 1.0]))
        self.violations: list[Violation] = []
        self._services: dict[str, Service] = {}
        self._inputs = Random(f"{seed} inputs")
        self._sagas = sagas
        self._known = [scenario.saga, *scenario.older]
        self._deployments = Deployments(self.world, scenario.builds)
        self.world.database(COORDINATOR)
        for participant in scenario.participants:
            self.world.database(participant.name, scenario.migrations.get(participant.name, ()))
            self.world.process(participant.name, self._boot_participant(participant))
        names = [COORDINATOR, *(f"{COORDINATOR}-{number}" for number in range(2, copies + 1))]
        coordinators = [self.world.process(name, self._boot_coordinator).name for name in names]
        self._clients = Clients(self.world, coordinators, lambda: self._services, scenario.hurried)

    def go(self) -> None:
        try:
            self.world.run(self._story())
        except (NothingLeft, TooLong, TimeoutError) as error:
            self._violated("it comes to rest", f"{type(error).__name__}: {error}; {self._unrest()}")
        for failure in self.world.failures():
            self._violated("no task dies", failure)

    def outcomes(self) -> Outcomes:
        world, database = self.world, self.world.databases[COORDINATOR]
        counts = dict(database.connection.execute("select status, count(*) from sagas group by status order by status"))
        return Outcomes(world.seed, self.violations, world.record, world.chances.faults, counts, world.points)

    async def _story(self) -> None:
        person = asyncio.get_running_loop().create_task(self._operate())
        if self.scenario.strays is not None:
            self._send_strays(self.scenario.strays)
        await self._load()
        await asyncio.sleep(_TROUBLED_S * self._inputs.random())
        self.world.heal()
        self.world.hurry(_GRAIN_S)
        async with asyncio.timeout(_LONGEST_S):
            while self._unrest():  # noqa: ASYNC110 nobody tells that all is at rest
                await asyncio.sleep(_GRAIN_S)
        person.cancel()
        self.world.tell("world", "settled")
        await self._judge()

    async def _operate(self) -> None:
        if self.scenario.operator is not None:
            await Person(self.world, self.scenario.operator, COORDINATOR, lambda: dict(self._services)).work()

    async def _load(self) -> None:
        """Clients that come as they like, and are told, or not, that their saga has begun."""
        inputs, make = self._inputs, self.scenario.inputs
        coming = [(inputs.random() * _OPEN_S, make(inputs)) for _ in range(self._sagas)]
        async with asyncio.timeout(_LONGEST_S):
            await self._clients.ask(coming)

    def _send_strays(self, make: Callable[[Random], Envelope]) -> None:
        """They come from outside, so nothing happens to them on their way."""
        random = Random(f"{self.world.seed} strays")
        for _ in range(_STRAYS):
            self.world.loop.outside(random.random() * _OPEN_S, self.world.network.arrive, make(random))

    def _boot_participant(self, participant: Participant) -> Callable[[Process], Any]:
        async def boot(process: Process) -> None:
            program = self._deployments.program(process, participant.name, Program(participant))
            tried = failing(program.participant or participant, self.world.chances)
            faults = Refusing(process, [self.scenario.saga], self.world.chances)
            await self._serve(process, participant.name, participant=tried, faults=faults)

        return boot

    async def _boot_coordinator(self, process: Process) -> None:
        definitions = self._deployments.program(process, COORDINATOR, Program(definitions=self._known)).definitions
        await self._serve(process, COORDINATOR, definitions=definitions, limit=self.scenario.limit)

    async def _serve(self, process: Process, database: str, **parts: Any) -> None:
        signals, way = Signals(), self.world.network.way_of(process)
        signals.listen(Heard(self.world, process.name))
        signals.observe(Observed(self.world, process.name))
        chores = self._chores(process.name)
        service = Service(storage_of(self.world, database), way, process.runtime, signals, chores=chores, **parts)
        self._services.pop(process.name, None)
        counter = Counter(service) if self.scenario.hurried and service.coordinator else None
        service.doors += [] if counter is None else [counter]
        try:
            await service.start()
        except Exception:
            await service.stop()
            raise
        if counter is not None:
            counter.start()
        self._services[process.name] = service
        process.leave = partial(self._leave, service, process.name)

    async def _leave(self, service: Service, name: str) -> None:
        self._services.pop(name, None)
        await service.stop()

    def _chores(self, name: str) -> list[Chore]:
        chores, janitors = self.scenario.chores, self.scenario.janitors
        made: list[Chore] = [partial(self._chore, name, chores[name])] if name in chores else []
        if name in janitors:
            decisions = LoggedDecisions(Log(storage_of(self.world, COORDINATOR), self._known))
            made.append(partial(self._chore, name, lambda service: janitors[name](service, decisions)))
        return made

    async def _chore(self, name: str, chore: Callable[[Service], Awaitable[object]]) -> None:
        if name in self._services:
            await chore(self._services[name])

    def _unrest(self) -> str:
        return unrest(self.world, mended=self.scenario.operator is not None)

    async def _judge(self) -> None:
        async with AsyncExitStack() as stack:
            storages = {name: storage_of(self.world, name) for name in self.world.databases}
            readers = {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}
            sagas = await storages[COORDINATOR].sagas.load(readers[COORDINATOR], self._ids())
            done: set[BarrierKey] = set()
            for participant in self.scenario.participants:
                rows = await storages[participant.name].inbox.known(readers[participant.name], sorted(sagas))
                done |= {key for key, row in rows.items() if row.outcome is Outcome.DONE}
            self._judge_sagas(sagas, done)
            for check in self.scenario.invariants:
                for finding in await check(readers):
                    if not finding.holds:
                        self._violated(finding.name, finding.detail or str(dict(finding.figures)))

    def _judge_sagas(self, sagas: Mapping[SagaId, Instance], done: Collection[BarrierKey]) -> None:
        for id in sorted(set(self._clients.acknowledged) - set(sagas)):
            self._violated("what was acknowledged is there", id)
        if len(sagas) > self._sagas:
            self._violated("one request, one saga", f"{len(sagas)} sagas of {self._sagas} requests")
        for id, instance in sorted(sagas.items()):
            if instance.state.status not in ENDED:
                self._violated("every saga ends", f"{id} is {instance.state.status}: {last(instance)}")
            else:
                self._judge_steps(id, instance, done)

    def _judge_steps(self, id: SagaId, instance: Instance, done: Collection[BarrierKey]) -> None:
        """All forward, or all undone: what the participants have done is what the saga says."""
        pairs = zip(self.scenario.saga.steps, instance.state.steps, strict=True)
        for step, state in [(step, state) for step, state in pairs if state.phase not in _BY_HAND]:
            acted = BarrierKey(id, step.name, Operation.ACTION) in done
            undone = BarrierKey(id, step.name, Operation.COMPENSATION) in done
            if state.phase is Phase.DONE and (undone or not (acted or step.ask is None)):
                self._violated("done is done", f"{id} {step.name}: acted {acted}, undone {undone}")
            if instance.state.backward and acted and not undone and state.phase is not Phase.FAILED:
                self._violated("turned back is undone", f"{id} {step.name} is {state.phase}: {last(instance)}")

    def _ids(self) -> list[SagaId]:
        rows = self.world.databases[COORDINATOR].connection.execute("select id from sagas order by id")
        return [SagaId(id) for (id,) in rows]

    def _violated(self, what: str, detail: str) -> None:
        self.violations.append(Violation(what, detail))
        self.world.tell("world", "violated", f"{what}: {detail}")
