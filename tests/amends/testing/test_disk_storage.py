"""The library's own storage and services on the simulated disk: power cuts, failing syncs, no room."""

import asyncio
import gc
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from amends.adapters.sqlite import SqliteStorage, checkpoint
from amends.state import Status
from amends.testing.disk import Disk
from tests.amends.hazards.storage import THINGS, names, put
from tests.amends.trips import Agency, BookFlight, Full, refuse

FORWARD = ["BookHotel", "BookFlight", "ChargeCard", "SendTickets"]


async def shelf(disk: Disk) -> SqliteStorage:
    storage = SqliteStorage(Path("shelf.db"), THINGS, disk.name)
    await storage.migrate()
    return storage


def checkpoint_within_commits(monkeypatch: pytest.MonkeyPatch, pages: int) -> None:
    """Once the log is so long; never beside the event loop."""
    monkeypatch.setattr(checkpoint, "PAGES", pages + 1)
    monkeypatch.setattr(checkpoint, "MOST_PAGES", pages)


async def put_all(storage: SqliteStorage, wanted: list[str], told: list[str]) -> bool:
    """In one group; returns whether the disk has taken all of it."""
    outcomes = await asyncio.gather(*[put(storage, name, name * 500, told) for name in wanted], return_exceptions=True)
    for outcome in outcomes:
        assert outcome is None or isinstance(outcome, apsw.IOError), outcome
    return outcomes.count(None) == len(wanted)


async def cut_after_failed_syncs(seed: int) -> int:
    """Four lives, in which syncs fail at random; returns how many of their commits were refused."""
    random, refused = Random(seed), 0
    with Disk(Random(seed)) as disk:
        told: list[str] = []
        for life in range(4):
            storage = await shelf(disk)
            assert set(told) <= set(await names(storage)), f"seed {seed}, life {life}: told, and lost"
            for turn in range(6):
                if random.random() < 0.5:
                    disk.fail_syncs(random.randrange(1, 3), after=random.randrange(4))
                wanted = [f"{life}-{turn}-{number}" for number in range(random.randrange(1, 4))]
                refused += not await put_all(storage, wanted, told)
            disk.fail_syncs(0)
            disk.crash()
            await storage.close()
    return refused


@pytest.mark.parametrize("pages", [0, 30, 16_000])
async def test_failed_sync_never_loses_what_was_told(pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a checkpoint after each commit, after some, and never."""
    checkpoint_within_commits(monkeypatch, pages)
    for seed in range(30):
        assert await cut_after_failed_syncs(seed) > 0


async def test_checkpoint_beside_the_event_loop_is_on_the_same_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "PAGES", 5)
    with Disk(Random(1)) as disk:
        storage, told = await shelf(disk), list[str]()
        await names(storage)
        for number in range(10):
            await put(storage, f"{number}", "x" * 9000, told)
            await storage.checkpoints.settle()  # on this disk nobody waits long for a lock of another thread
        assert len(disk.directory.files["shelf.db"].image) > 9000
        assert list(disk.directory.files) == ["shelf.db", "shelf.db-wal"]
        disk.crash()
        await storage.close()
        again = await shelf(disk)
        assert await names(again) == told
        await again.close()


async def test_what_a_failed_sync_has_left_is_durable_before_anything_is_committed_behind_it() -> None:
    """The next process finds it in the log, and takes it for committed."""
    for seed in range(30):
        with Disk(Random(seed)) as disk:
            told = list[str]()
            storage = await shelf(disk)
            await put(storage, "a", "x" * 300_000, told)
            assert await names(storage) == told  # by a reader that stays
            disk.fail_syncs()
            await put_all(storage, ["b"], told)
            disk.end("shelf.db")
            await storage.close()
            again = await shelf(disk)
            await put_all(again, ["c"], told)
            disk.crash()
            await again.close()
            last = await shelf(disk)
            assert set(told) <= set(await names(last)), f"seed {seed}: told, and lost"
            await last.close()


async def test_checkpoint_that_fails_beside_the_event_loop_is_made_by_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And nobody hears of it: the log holds what was committed."""
    monkeypatch.setattr(checkpoint, "PAGES", 5)
    heard = list[Any]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    with Disk(Random(1)) as disk:
        storage, told = await shelf(disk), list[str]()
        for number in range(4):
            disk.fail_syncs(1 if number == 0 else 0, after=1)
            await put(storage, f"{number}", "x" * 9000, told)
            await storage.checkpoints.settle()
        assert len(disk.directory.files["shelf.db"].image) > 9000
        disk.crash()
        await storage.close()
        again = await shelf(disk)
        assert await names(again) == told
        await again.close()
    del storage
    gc.collect()
    assert not heard


@pytest.mark.parametrize("pages", [0, 16_000])
async def test_full_disk_loses_nothing_and_goes_on_once_there_is_room(
    pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint_within_commits(monkeypatch, pages)
    with Disk(Random(1)) as disk:
        storage, told = await shelf(disk), list[str]()
        await put(storage, "a", told=told)
        disk.full = True
        for name in ("b", "c"):
            with pytest.raises(apsw.FullError):
                await put(storage, name, "x" * 100_000, told)
        assert await names(storage) == ["a"]
        disk.full = False
        await put(storage, "c", "x" * 100_000, told)
        assert await names(storage) == told == ["a", "c"]
        disk.crash()
        await storage.close()
        again = await shelf(disk)
        assert await names(again) == told
        await again.close()


class Machine:
    """All rooms of the agency on one disk; the power is cut at random while sagas run."""

    def __init__(self, disk: Disk, seed: int) -> None:
        self.disk = disk
        self.agency = Agency(Path("rooms"), seed=seed)
        self.acknowledged: list[str] = []
        self._random = Random(seed)

    async def start(self) -> None:
        """Until one start is not cut."""
        while True:
            before = self.disk.crashes
            try:
                await self.agency.open()
                return
            except apsw.Error:
                assert self.disk.crashes > before
                await self.agency.crash()

    async def book(self, trip: str) -> None:
        """Begins a saga and lets it run for a while, with a cut on its way."""
        before = self.disk.crashes
        self.disk.crash_at(self._random.randrange(1, 250))
        try:
            await self.agency.start(trip)
            self.acknowledged.append(trip)
        except apsw.Error:
            assert self.disk.crashes > before
        await self.agency.runtime.advance(self._random.uniform(0, 4), 0.5)
        if self.disk.crashes > before:
            await self.agency.crash()
            await self.start()


async def run_machine(seed: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Returns how often the power was cut."""
    with Disk(Random(seed)) as disk:
        monkeypatch.setattr("tests.amends.trips.SqliteStorage", partial(SqliteStorage, vfs=disk.name))
        machine = Machine(disk, seed)
        agency = machine.agency
        if seed % 3 == 0:
            agency.behave[BookFlight] = refuse(Full())
        await machine.start()
        for number in range(5):
            await machine.book(f"t{number}")
        disk.crash()
        await agency.crash()
        await machine.start()
        there = [str(each.id) for each in await agency.every_saga()]
        assert set(machine.acknowledged) <= set(there), f"seed {seed}: acknowledged, and lost"
        for saga in await agency.ended(*there):
            assert_all_or_nothing(saga.state.status, await agency.effects(saga.id))
        await agency.close()
    return disk.crashes


def assert_all_or_nothing(status: Status, effects: list[str]) -> None:
    if status is Status.COMPLETED:
        assert effects == FORWARD
    else:
        assert status is Status.COMPENSATED
        assert "ChargeCard" not in effects
        for done, undone in (("BookHotel", "CancelHotel"), ("BookFlight", "CancelFlight")):
            assert effects.count(done) <= effects.count(undone) <= 1


@pytest.mark.parametrize("seed", range(8))
async def test_every_saga_ends_whenever_the_power_is_cut(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await run_machine(seed, monkeypatch) > 1


@pytest.mark.long
async def test_every_saga_ends_whenever_the_power_is_cut_by_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(8, 200):
        assert await run_machine(seed, monkeypatch) >= 1
