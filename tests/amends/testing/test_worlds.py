"""A simulated world: its time, its processes, its databases, its network."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from itertools import count
from random import Random

import pytest

from amends import Migration, Tx
from amends.errors import CommitUnknown, Unavailable
from amends.testing import Fault, play
from amends.testing.chances import Chances, drawn
from amends.testing.loop import EPOCH, NothingLeft, SimulatedLoop, TooLong, simulated_loop
from amends.testing.processes import Life, Process
from amends.testing.worlds import World, storage_of
from tests.amends.testing import exploring_cases as cases

NOTES = Migration(1, "notes", ("create table notes (text text)",))


@pytest.fixture
def world() -> Iterator[World]:
    """Nothing goes wrong of itself."""
    made = World(1, rates={})
    made.database("notes", [NOTES])
    yield made
    made.close()


def notes(world: World) -> list[str]:
    return [text for (text,) in world.databases["notes"].connection.execute("select text from notes")]


async def note(world: World, text: str, seconds: float = 0.0, database: str = "notes") -> None:
    """In a transaction that takes so long."""
    async with storage_of(world, database).transaction(0.0) as tx:
        await write(tx, text)
        await asyncio.sleep(seconds)


async def write(tx: Tx, text: str) -> None:
    await tx.run("insert into notes values (:text)", (text,))


async def idle(_: Process) -> None: ...


class Ticking:
    """A process that counts seconds."""

    def __init__(self) -> None:
        self.ticks = 0

    async def __call__(self, _: Process) -> None:
        for number in count():
            self.ticks = number
            await asyncio.sleep(1.0)


def test_time_leaps_to_the_next_timer() -> None:
    loop = simulated_loop(Random(1))

    loop.run(asyncio.sleep(100_000.0))

    assert loop.time() == EPOCH + 100_000.0
    assert loop.turns < 10


def test_who_waits_for_nothing_is_told() -> None:
    loop = simulated_loop(Random(1))

    with pytest.raises(NothingLeft):
        loop.run(_await(loop.create_future()))


def test_who_goes_round_and_round_is_stopped() -> None:
    loop = SimulatedLoop(Random(1), most_turns=1_000)  # type: ignore[abstract]

    with pytest.raises(TooLong, match="1001 turns"):
        loop.run(_round())


@pytest.mark.parametrize(("shuffled", "orders"), [(0.0, 1), (1.0, 20)])
def test_order_of_what_is_ready_comes_from_the_seed(shuffled: float, orders: int) -> None:
    seen = [_order(seed, shuffled) for seed in range(20)]

    assert seen == [_order(seed, shuffled) for seed in range(20)]
    assert len({tuple(order) for order in seen}) == orders


def test_callback_that_fails_is_kept_and_ends_nothing(world: World) -> None:
    world.loop.call_later(1.0, _fail)

    world.run(asyncio.sleep(2.0))

    assert world.failures() == ["a callback failed: ValueError: wrong"]


def test_frozen_process_does_nothing_until_it_wakes(world: World) -> None:
    ticking = Ticking()
    world.process("clock", ticking)

    world.run(asyncio.sleep(3.5))
    world.freeze("clock", 10.0)
    world.run(asyncio.sleep(9.0))
    assert ticking.ticks == 3

    world.run(asyncio.sleep(2.6))
    assert ticking.ticks == 5


def test_dead_process_never_runs_again_and_another_takes_its_name(world: World) -> None:
    lives: list[Ticking] = []

    async def boot(process: Process) -> None:
        lives.append(Ticking())
        await lives[-1](process)

    first = world.process("clock", boot)
    world.run(asyncio.sleep(3.5))
    world.crash("clock")
    world.run(asyncio.sleep(20.0))

    assert first.life is Life.DEAD
    assert [life.ticks for life in lives] == [3, lives[1].ticks]
    assert lives[1].ticks > 10
    assert world.processes["clock"] is not first


def test_process_that_can_not_start_is_started_again(world: World) -> None:
    tries: list[str] = []

    async def boot(process: Process) -> None:
        tries.append(process.name)
        if len(tries) < 3:
            raise OSError("not yet")

    world.process("slow", boot)
    world.run(asyncio.sleep(10.0))

    assert len(tries) == 3
    assert [each.what for each in world.record] == ["did not start", "restarted", "did not start", "restarted"]


def test_healed_world_has_nobody_frozen_or_dead(world: World) -> None:
    world.process("one", idle)
    world.process("two", idle)
    world.freeze("one", 1e6)
    world.crash("two")

    world.heal()
    world.run(asyncio.sleep(5.0))

    assert [process.life for process in world.processes.values()] == [Life.RUNNING, Life.RUNNING]


def test_clock_of_a_process_may_be_off_and_its_sleep_is_not(world: World) -> None:
    process = world.process("clock", idle)
    process.runtime.skew_s = 60.0

    world.run(process.runtime.sleep(5.0))

    assert world.now == 5.0
    assert process.runtime.now() == EPOCH + 65.0


def test_what_was_not_committed_is_gone_after_a_crash(world: World) -> None:
    process = world.process("writer", idle)
    process.spawn(note(world, "kept"))
    world.run(asyncio.sleep(1.0))
    process.spawn(note(world, "lost", seconds=10.0))
    world.run(asyncio.sleep(1.0))
    assert notes(world) == ["kept", "lost"]

    world.crash("writer")

    assert notes(world) == ["kept"]


def test_transaction_of_a_frozen_process_is_taken_away(world: World) -> None:
    process = world.process("writer", idle)
    task = process.spawn(note(world, "late", seconds=5.0))
    world.run(asyncio.sleep(1.0))

    world.freeze("writer", 30.0)
    world.run(asyncio.sleep(40.0))

    assert isinstance(task.exception(), Unavailable)
    assert notes(world) == []


def test_transactions_take_turns(world: World) -> None:
    process = world.process("writer", idle)
    tasks = [process.spawn(note(world, str(number), seconds=1.0)) for number in range(3)]

    world.run(_await(*tasks))

    assert sorted(notes(world)) == ["0", "1", "2"]
    assert world.now == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("kind", "error", "there"),
    [
        ("commit lost before", CommitUnknown, []),
        ("commit lost after", CommitUnknown, ["a"]),
        ("commit refused", None, []),
    ],
)
def test_commit_may_be_lost_or_unheard(kind: str, error: type[Exception] | None, there: list[str]) -> None:
    world = World(1, rates={kind: 1.0})
    world.database("notes", [NOTES])
    task = world.process("writer", idle).spawn(note(world, "a"))
    world.run(_await(task, raises=False))

    assert isinstance(task.exception(), error or Exception)
    assert isinstance(task.exception(), CommitUnknown) is (error is not None)
    assert notes(world) == there
    world.close()


def test_database_may_be_away() -> None:
    world = World(1, rates={"database away": 1.0})
    world.database("notes", [NOTES])

    with pytest.raises(Unavailable, match="database notes can't be reached"):
        world.run(note(world, "a"))
    world.close()


def test_database_is_as_new_in_the_next_world(world: World) -> None:
    other = World(2, rates={})
    connection = other.database("other", [NOTES]).connection
    other.run(note(other, "old", database="other"))
    other.close()

    again = World(3, rates={})
    assert again.database("other", [NOTES]).connection is connection
    assert connection.execute("select count(*) from notes").fetchall() == [(0,)]
    again.close()


def test_lost_message_is_sent_again_by_the_sweep() -> None:
    outcomes = play(cases.mended(), 2, rates={"message lost": 0.4}, sagas=4)
    lost = [
        each.detail["message"] for each in outcomes.record if each.what == "lost" and not isinstance(each.detail, str)
    ]
    came = [
        each.detail["message"]
        for each in outcomes.record
        if each.what == "delivered" and not isinstance(each.detail, str)
    ]

    assert outcomes.violations == []
    assert len(lost) > 3
    assert set(lost) <= set(came)


def test_copied_message_comes_twice_and_is_done_once() -> None:
    outcomes = play(cases.mended(), 2, rates={"message copied": 1.0}, sagas=4)

    assert outcomes.violations == []
    assert len([each for each in outcomes.record if each.what == "copied"]) >= 4 * 4


@pytest.mark.filterwarnings("error")
def test_closed_world_leaves_nothing_behind() -> None:
    world = World(4, rates={})
    world.database("notes", [NOTES])
    process = world.process("clock", Ticking())
    process.spawn(note(world, "open", seconds=1e6))
    process.spawn(note(world, "waits"))
    world.run(asyncio.sleep(3.0))
    world.freeze("clock", 1e6)
    world.process("dead", Ticking())
    world.crash("dead")

    world.close()

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()
    assert [str(each.message) for each in told] == []
    assert all(task.done() for task in process.tasks)


def test_rates_differ_from_seed_to_seed() -> None:
    assert drawn(1) == drawn(1) != drawn(2)
    assert 0.0 in drawn(1).values()


def test_fault_that_is_left_out_moves_no_other() -> None:
    with_all, without = (_fired(left_out) for left_out in ([], [Fault("crash", 5)]))

    assert Fault("crash", 5) in with_all
    assert without == [fault for fault in with_all if fault != Fault("crash", 5)]


def _fired(without: list[Fault]) -> list[Fault]:
    chances = Chances(1, {"crash": 0.5, "freeze": 0.5}, without)
    for _ in range(20):
        chances.fires("crash")
        chances.fires("freeze")
    return chances.faults


async def _await(*futures: "asyncio.Future[None]", raises: bool = True) -> None:
    await asyncio.wait(futures)
    for future in futures if raises else ():
        future.result()


async def _round() -> None:
    for _ in count():
        await asyncio.sleep(0)


def _order(seed: int, shuffled: float) -> list[int]:
    order: list[int] = []
    loop = simulated_loop(Random(seed), shuffled)
    for number in range(20):
        loop.call_soon(order.append, number)
    loop.run(asyncio.sleep(1.0))
    return order


def _fail() -> None:
    raise ValueError("wrong")


def test_none_but_some_faults_happen_when_they_are_named() -> None:
    whole = play(cases.mended(), 0)
    kept = whole.happened[::3]

    assert set(play(cases.mended(), 0, only=kept).happened) <= set(kept)
    assert play(cases.mended(), 0, only=whole.happened).record.digest() == whole.record.digest()


def test_fault_is_read_as_it_is_told() -> None:
    fault = Fault("commit lost before", 17)

    assert Fault.parse(str(fault)) == fault
