"""A real shop under load is killed at random moments and started again on the same folder.

A failing run is repeated with the seed that it prints: `AMENDS_CRASH_SEED=… AMENDS_CRASH_ROUNDS=…`.
"""

import asyncio
import hashlib
import json
import os
import signal
import time
from pathlib import Path
from random import Random, SystemRandom

import apsw
import pytest

from tests.system.load import Load
from tests.system.people import Buyer, Operator
from tests.system.reckoning import reckon
from tests.system.shop_process import ShopProcess, check_from_outside, run

SEED = int(os.environ.get("AMENDS_CRASH_SEED", "") or SystemRandom().randrange(10**6))
ROUNDS = int(os.environ.get("AMENDS_CRASH_ROUNDS", "") or 50)
RECKON_EVERY = 10
ENDS_S = 2.0  # promised to whoever sends SIGTERM; it takes a quarter of it
QUIET = ("--ports", "auto", "--quiet")

pytestmark = [pytest.mark.crash, pytest.mark.timeout(1200)]


@pytest.fixture
async def load(shop: ShopProcess) -> Load:
    found = Load(shop)
    await found.open()
    return found


async def work_for(load: Load, seconds: float, chance: Random) -> "asyncio.Task[None]":
    """Lets the load run; it is still running when this returns."""
    task = asyncio.create_task(load.run(chance))
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        await task
        raise AssertionError("the shop has gone")
    return task


async def recovered(load: Load) -> None:
    """Everything that was begun has ended, everything that was asked is answered, everything adds up."""
    await load.drain()
    await load.settle()
    print("  causes:", await load.operator.causes())
    print("  ended:", dict(await reckon(load)), "answers:", dict(load.posts), flush=True)


async def kill_at_start(shop: ShopProcess, chance: Random) -> None:
    """Kills a shop that is coming up; now and then it is up already."""
    shop.launch(*QUIET)
    await asyncio.sleep(chance.uniform(0.05, 0.8))
    await shop.kill()


async def test_killed_shop_loses_nothing_and_does_nothing_twice(load: Load, shop: ShopProcess) -> None:
    kills = 0
    for round in range(1, ROUNDS + 1):
        chance = Random(f"{SEED}/{round}")
        seconds = chance.uniform(0.1, 1.2)
        print(f"seed {SEED} round {round}: killed after {seconds:.2f} s, ready in {shop.ready_s:.2f} s", flush=True)
        task = await work_for(load, seconds, chance)
        await shop.kill()
        await task
        kills += 1
        if chance.random() < 0.15:
            await kill_at_start(shop, chance)
            kills += 1
        await shop.start(*QUIET)
        await load.operator.check()
        await load.supply(round + 1)
        if round % RECKON_EVERY == 0 or round == ROUNDS:
            await recovered(load)
    report(load, kills)
    await check_from_outside(shop)
    assert await shop.end() == 0
    await check_from_outside(shop)


def report(load: Load, kills: int) -> None:
    placed = sum(each.placed for each in load.answered)
    at_the_storefront = len(load.storefront.good | load.storefront.bad)
    print(f"{ROUNDS} rounds, {kills} kills, {placed} orders placed, {at_the_storefront} at the storefront")
    assert placed > ROUNDS


async def test_terminated_shop_ends_soon_and_goes_on_afterwards(load: Load, shop: ShopProcess) -> None:
    for round in range(1, 6):
        chance = Random(f"{SEED}/term/{round}")
        task = await work_for(load, chance.uniform(0.2, 0.8), chance)
        began = time.monotonic()
        assert await shop.end() == 0, shop.said()
        took_s = time.monotonic() - began
        print(f"seed {SEED} round {round}: ended in {took_s:.2f} s")
        assert took_s < ENDS_S
        await task
        assert not (shop.folder / "addresses.json").exists()
        await shop.start(*QUIET)
        await load.supply(round + 1)
    await recovered(load)


async def test_frozen_shop_goes_on_when_it_thaws(load: Load, shop: ShopProcess) -> None:
    task = await work_for(load, 0.7, Random(f"{SEED}/thaw"))
    shop.send(signal.SIGSTOP)
    await asyncio.sleep(3)
    shop.send(signal.SIGCONT)
    await asyncio.wait([task], timeout=0.5)
    load.enough()
    await task
    await recovered(load)


async def test_shop_killed_as_it_thaws_loses_nothing(load: Load, shop: ShopProcess) -> None:
    chance = Random(f"{SEED}/freeze")
    task = await work_for(load, 0.7, chance)
    shop.send(signal.SIGSTOP)
    await asyncio.sleep(3)
    shop.send(signal.SIGCONT)
    await asyncio.wait([task], timeout=0.5)
    await shop.kill()
    await task
    await shop.start(*QUIET)
    await recovered(load)


async def test_shop_killed_at_its_first_start_is_furnished_by_the_next(process: ShopProcess) -> None:
    chance = Random(f"{SEED}/first")
    for _ in range(4):
        await kill_at_start(process, chance)
    await process.start(*QUIET)
    demo = Buyer(process, "demo@shop.example", "demo-demo")
    await demo.sign_in()
    assert (await demo.wallet())["balance_minor"] == 100_000
    assert set(await demo.products()) == {"apple", "bread", "coffee", "honey", "teapot"}
    assert await demo.couriers("2034-05-26T16:00:00Z") == 3
    await Operator(process).check()


async def test_second_shop_on_the_folder_is_refused_and_the_first_goes_on(shop: ShopProcess) -> None:
    second = await run("shop", "up", "--data", str(shop.folder), "--ports", "auto")
    assert second.returncode == 1
    assert f"is in use by process {shop.pid}: stop it first" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert json.loads((shop.folder / "addresses.json").read_text()) == shop.addresses
    await Operator(shop).check()


@pytest.mark.parametrize("database", ["orders", "warehouse"])
async def test_folder_of_another_schema_version_is_refused_and_untouched(shop: ShopProcess, database: str) -> None:
    await shop.end()
    connection = apsw.Connection(str(shop.folder / f"{database}.db"))
    connection.execute("update schema_versions set version = 99 where track = 'service'")
    connection.close()
    before = contents(shop.folder)
    answer = await run("shop", "up", "--data", str(shop.folder), "--ports", "auto")
    assert answer.returncode == 1
    assert all(word in answer.stderr for word in (database, "99"))
    assert "Traceback" not in answer.stderr
    assert contents(shop.folder) == before


def contents(folder: Path) -> dict[str, str]:
    """Of every file but the lock, and those that SQLite makes beside a database while it is open."""
    beside = ("lock", "-wal", "-shm")
    return {
        each.name: hashlib.sha256(each.read_bytes()).hexdigest()
        for each in sorted(folder.iterdir())
        if not each.name.endswith(beside)
    }
