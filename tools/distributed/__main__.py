"""The distributed shop on this machine: `python -m tools.distributed up` runs it until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from shop.main import ports
from shop.settings import PORTS
from tools.distributed.shop import Distributed, Options
from tools.servers import ServerFailed, missing_for_kafka, missing_for_postgres
from tools.servers.postgres import programs


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(prog="python -m tools.distributed", description=__doc__)
    verbs = described.add_subparsers(dest="verb", required=True, metavar="VERB")
    up = verbs.add_parser("up", help="PostgreSQL, Kafka, Connect and every service, until Ctrl-C")
    up.add_argument("--data", type=Path, default=Path("data-distributed"), metavar="DIR", help="kept there")
    up.add_argument("--postgres", type=int, default=0, metavar="VERSION", help="default: the newest that is here")
    up.add_argument("--partitions", type=int, default=4, help="of each topic (4)")
    up.add_argument("--copies", default="", metavar="ROOM=N,…", help="so many processes of a room besides the first")
    up.add_argument("--ports", default="", metavar="auto|NAME=PORT,…", help="the edges' ports")
    up.add_argument("--relay", action="store_true", help="no Debezium: billing sends its messages itself")
    return described


def options_of(asked: argparse.Namespace) -> Options:
    """Raises `ValueError` naming what is wrong."""
    wanted = [(name, port) for name, port in ports(asked.ports) if name in PORTS]
    copies = copies_of(asked.copies)
    return Options(asked.postgres, asked.partitions, copies, not asked.relay, tuple(wanted), faults=True)


def copies_of(text: str) -> tuple[tuple[str, int], ...]:
    pairs = [part.partition("=") for part in filter(None, text.split(","))]
    if wrong := [name for name, _, count in pairs if not count.isdecimal()]:
        raise ValueError(f"--copies: {', '.join(wrong)} needs =NUMBER")
    return tuple((name, int(count)) for name, _, count in pairs)


async def up(folder: Path, options: Options) -> None:
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    shop = Distributed(folder, options, say)
    opening = asyncio.ensure_future(shop.start())
    waiting = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait([opening, waiting], return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            opening.result()
            greet(shop)
            await waiting
    finally:
        opening.cancel()
        await shop.stop()


def greet(shop: Distributed) -> None:
    print("The shop is open.")
    for edge, url in shop.addresses.items():
        print(f"  {edge:<12} {url}")
    print(f"  {'operator':<12} {shop.addresses['ops']}/ops/signin?token={shop.operator_token}", flush=True)


def say(line: str) -> None:
    print(f"  {line}", flush=True)


def missing(version: int) -> str:
    return missing_for_kafka() or missing_for_postgres(version or max(programs(), default=18))


def main(arguments: Sequence[str]) -> int:
    asked = parser().parse_args(arguments)
    try:
        if lacking := missing(asked.postgres):
            raise ServerFailed(lacking)
        asyncio.run(up(asked.data, options_of(asked)))
    except (ServerFailed, ValueError) as error:
        print(f"the distributed shop can't run: {error}", file=sys.stderr)
        return 1
    except ExceptionGroup as failed:
        print(f"the distributed shop can't run: {failed.exceptions[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
