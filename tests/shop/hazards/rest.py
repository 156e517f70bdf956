"""Scenarios of the event loop and of the way to rest: hashing beside the loop, shutdowns that nobody holds up."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeVar

import argon2
import httpx
import pytest

from shop.users.passwords import MOST_WAITING
from tests.shop.hazards.scene import Member, Scene, open_shop

T = TypeVar("T")

MOST_STOP_S = 4.0
HASHES_AT_ONCE = 2


class Hashing(argon2.PasswordHasher):
    """argon2 itself; notes in which threads it ran, and how many at once."""

    threads: set[int]
    at_once: int
    most_at_once: int
    lock: threading.Lock
    go: threading.Event
    """None ends before it is set."""

    @classmethod
    def begin(cls) -> None:
        cls.threads, cls.at_once, cls.most_at_once, cls.lock = set(), 0, 0, threading.Lock()
        cls.go = threading.Event()
        cls.go.set()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        with Hashing.lock:
            Hashing.threads.add(threading.get_ident())
            Hashing.at_once += 1
            Hashing.most_at_once = max(Hashing.most_at_once, Hashing.at_once)
        try:
            Hashing.go.wait()
            return super().verify(hash, password)
        finally:
            with Hashing.lock:
                Hashing.at_once -= 1


@asynccontextmanager
async def watched_hashing(folder: Path) -> AsyncIterator[Scene]:
    with pytest.MonkeyPatch.context() as settings:
        Hashing.begin()
        settings.setattr("shop.users.passwords.PasswordHasher", Hashing)
        async with open_shop(folder) as scene:
            yield scene


async def sign_in(scene: Scene, name: str) -> httpx.Response:
    return await scene.client.post("/api/sessions", json={"email": f"{name}@example.com", "password": "guessed"})


async def hashing_runs_beside_the_loop(folder: Path) -> None:
    async with watched_hashing(folder) as scene:
        assert (await sign_in(scene, "nobody")).status_code == 401, "a stranger is let in"
        assert Hashing.threads, "nothing was hashed"
        assert threading.get_ident() not in Hashing.threads, "a hash has held up the event loop"


async def hashes_at_once_are_bounded(folder: Path) -> None:
    async with watched_hashing(folder) as scene:
        await asyncio.gather(*(sign_in(scene, f"nobody{number}") for number in range(20)))
        assert 0 < Hashing.most_at_once <= HASHES_AT_ONCE, f"{Hashing.most_at_once} hashes at once"


async def hashes_that_wait_are_bounded(folder: Path) -> None:
    """While two hashes run, and don't end, more come than may wait."""
    async with watched_hashing(folder) as scene:
        Hashing.go.clear()
        guesses = [asyncio.create_task(sign_in(scene, f"nobody{number}")) for number in range(MOST_WAITING + 6)]
        away, _ = await asyncio.wait(guesses, timeout=3, return_when=asyncio.FIRST_COMPLETED)
        Hashing.go.set()
        answers = await asyncio.gather(*guesses)
        assert away, "everybody waits, however many they are"
        refused = [each for each in answers if each.status_code == 503]
        assert 0 < len(refused) <= 6, f"{len(refused)} of 6 too many were turned away"
        assert all("retry-after" in each.headers for each in refused), "come back when?"
        assert (await sign_in(scene, "nobody")).status_code == 401, "who has waited is still counted"


async def open_event_streams_do_not_hang_a_shutdown(folder: Path) -> None:
    """Nor are they cut off: whoever follows an order sees that the stream has ended."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        async with held_orders(scene):
            order_id = (await ann.order()).json()["id"]
            path = f"/api/orders/{order_id}/events"
            async with scene.client.stream("GET", path, headers=ann.headers()) as stream:
                lines = stream.aiter_lines()
                assert "event: step" in await anext(lines), "the stream hasn't begun"
                reading = asyncio.create_task(_read_to_the_end(lines))
                stopping = asyncio.create_task(scene.shop.stop())
                ended = await _let_go(reading)
        await stopping
        assert ended is not None, "an open stream hangs the shutdown"
        assert ended, "an open stream was cut off, not ended"


async def waiting_buyers_do_not_hang_a_shutdown(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        async with held_orders(scene):
            buying = asyncio.create_task(_buy_and_wait(ann))
            while not await ann.orders():
                assert not buying.done(), "the buyer doesn't wait"
            stopping = asyncio.create_task(scene.shop.stop())
            status = await _let_go(buying)
        await stopping
        assert status is not None, "a waiting buyer hangs the shutdown"
        assert status == 202, "a waiting buyer got no answer"


@asynccontextmanager
async def held_orders(scene: Scene) -> AsyncIterator[None]:
    """No order ends meanwhile: billing can't write."""
    async with scene.storage("billing").transaction(scene.clock.now()):
        yield


async def _let_go(client: "asyncio.Task[T]") -> T | None:
    """What the client saw; None when it hangs on, and is ended here."""
    done, _ = await asyncio.wait({client}, timeout=MOST_STOP_S)
    if done:
        return client.result()
    client.cancel()
    await asyncio.wait({client})
    return None


async def _read_to_the_end(lines: AsyncIterator[str]) -> bool:
    """False when the connection broke before it."""
    try:
        async for _ in lines:
            pass
    except httpx.TransportError:
        return False
    return True


async def _buy_and_wait(member: Member) -> int:
    """The status; 0 when the connection broke."""
    try:
        return (await member.order(prefer="wait=60")).status_code
    except httpx.TransportError:
        return 0


SCENARIOS = [
    hashing_runs_beside_the_loop,
    hashes_at_once_are_bounded,
    hashes_that_wait_are_bounded,
    open_event_streams_do_not_hang_a_shutdown,
    waiting_buyers_do_not_hang_a_shutdown,
]
