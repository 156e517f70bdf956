"""Shops that the collections run against: an embedded one of its own, a distributed one, or one that runs already."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

BIN = Path(sys.executable).parent
READY_S, SETTLED_S, END_S = 90.0, 90.0, 30.0
_POLL_S = 0.1


class Shop(NamedTuple):
    """A running shop: its edges' addresses, the operator's token, and where `amends` finds its data."""

    addresses: Mapping[str, str]
    token: str
    place: tuple[str, ...]


class ShopFailed(Exception):
    """There is no shop to run against: the message says why."""


@asynccontextmanager
async def embedded() -> AsyncIterator[Shop]:
    """A fresh shop of one process, stopped and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="postman-") as made:
        data, log = Path(made, "data"), Path(made, "log")
        process = await _begun(data, log)
        try:
            await _opened(process, data, log)
            yield running(data)
        finally:
            await _stopped(process)


@asynccontextmanager
async def distributed() -> AsyncIterator[Shop]:
    """A fresh shop of a process for each service, on PostgreSQL, Kafka and Debezium."""
    from tools.distributed import Distributed, Options  # noqa: PLC0415 - the embedded shop needs none of it

    with tempfile.TemporaryDirectory(prefix="postman-") as made:
        async with Distributed(Path(made), Options(faults=True)) as shop:
            yield Shop(shop.addresses, shop.operator_token, ("--dsn", shop.dsn))


@asynccontextmanager
async def against(data: Path) -> AsyncIterator[Shop]:
    """The shop that runs on a data folder."""
    yield running(data)


def running(data: Path) -> Shop:
    """Raises `ShopFailed`."""
    try:
        addresses = json.loads((data / "addresses.json").read_bytes())
        token = (data / "operator.token").read_text().strip()
    except FileNotFoundError as missing:
        raise ShopFailed(f"no shop runs on {data}: {missing.filename} is missing") from missing
    return Shop(addresses, token, ("--data", str(data)))


async def check(shop: Shop) -> tuple[int, str]:
    """`amends check`, once no saga is in flight: its exit code, and what it said."""
    await _settled(shop)
    command = [str(BIN / "amends"), "check", *shop.place]
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=both)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")


async def _settled(shop: Shop) -> None:
    async with asyncio.timeout(SETTLED_S):
        while await asyncio.to_thread(_moving, shop):  # noqa: ASYNC110 - another process: only looking again helps
            await asyncio.sleep(_POLL_S)


def _moving(shop: Shop) -> bool:
    found: list[object] = []
    opener = build_opener(ProxyHandler({}))
    for state in ("running", "compensating"):
        url = f"{shop.addresses['ops']}/ops/sagas?state={state}&limit=1"
        with opener.open(Request(url, headers={"authorization": f"Bearer {shop.token}"}), timeout=30) as answer:
            found += json.loads(answer.read())
    return bool(found)


async def _begun(data: Path, log: Path) -> asyncio.subprocess.Process:
    command = [str(BIN / "shop"), "up", "--data", str(data), "--ports", "auto", "--faults", "--quiet"]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        return await asyncio.create_subprocess_exec(*command, stdout=descriptor, stderr=descriptor)
    finally:
        os.close(descriptor)


async def _opened(process: asyncio.subprocess.Process, data: Path, log: Path) -> None:
    async with asyncio.timeout(READY_S):
        while not (data / "addresses.json").exists():
            if process.returncode is not None:
                raise ShopFailed(f"the shop ended with {process.returncode}: {_text(log)}")
            await asyncio.sleep(_POLL_S)


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
