"""Shops that the collections run against: an embedded one of its own, a distributed one, or one that runs already."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

BIN = Path(sys.executable).parent
READY_S, SETTLED_S, END_S = 90.0, 90.0, 30.0
_POLL_S = 0.1


class Shop(NamedTuple):
    """A running shop: its edges' addresses, the operator's token, and where `amends` finds its data, or nothing."""

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
    from tools.distributed.__main__ import missing  # noqa: PLC0415

    if lacking := missing(0):
        raise ShopFailed(lacking)
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
    here = (data / "orders.db").exists()
    return Shop(addresses, token, ("--data", str(data)) if here else ())


async def check(shop: Shop) -> tuple[bool, str]:
    """Are the data consistent, once no saga is in flight? `amends check`, or the shop itself, says it, and why not."""
    await _settled(shop)
    if not shop.place:
        found = await asyncio.to_thread(_asked, shop, "/ops/check")
        return found["holds"], json.dumps(found)
    command = [str(BIN / "amends"), "check", *shop.place]
    pipe, both = asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=both)
    said, _ = await process.communicate()
    return process.returncode == 0, said.decode(errors="replace")


async def _settled(shop: Shop) -> None:
    async with asyncio.timeout(SETTLED_S):
        while await asyncio.to_thread(_moving, shop):  # noqa: ASYNC110 - another process: only looking again helps
            await asyncio.sleep(_POLL_S)


def _moving(shop: Shop) -> bool:
    return any(_asked(shop, f"/ops/sagas?state={state}&limit=1") for state in ("running", "compensating"))


def _asked(shop: Shop, path: str) -> Any:
    """What the operator's API answers, also when it says 503."""
    request = Request(shop.addresses["ops"] + path, headers={"authorization": f"Bearer {shop.token}"})
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=30) as answer:
            return json.loads(answer.read())
    except HTTPError as refused:
        return json.loads(refused.read())


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
