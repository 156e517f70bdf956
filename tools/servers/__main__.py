"""Real servers without containers: `python -m tools.servers check | fetch | up`."""

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.servers.connect import Connect
from tools.servers.fetch import fetch
from tools.servers.java import archives_folder, jars_folder, missing_for_kafka
from tools.servers.kafka import Kafka
from tools.servers.postgres import IN_WHEEL, Postgres, missing_for_postgres, programs
from tools.servers.process import Server, ServerFailed, running

WANTED = (15, *IN_WHEEL)


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(prog="python -m tools.servers", description=__doc__)
    verbs = described.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("check", help="say what can run here, and what to install for the rest")
    verbs.add_parser("fetch", help="fetch and make now what the first start would wait for")
    up = verbs.add_parser("up", help="run servers until Ctrl-C: those that are named, or all")
    up.add_argument("--postgres", type=int, metavar="VERSION", help=f"such as {', '.join(map(str, WANTED))}")
    up.add_argument("--kafka", action="store_true", help="a Kafka broker")
    up.add_argument("--connect", action="store_true", help="Kafka Connect, with its broker")
    up.add_argument("--data", type=Path, metavar="FOLDER", help="keep the data there; default: none is kept")
    return described


def check() -> int:
    """Print a line for each server; return 1 when one can't run."""
    problems = {f"PostgreSQL {version}": missing_for_postgres(version) for version in sorted({*programs(), *WANTED})}
    problems["Kafka, Connect"] = missing_for_kafka()
    for name, problem in problems.items():
        print(f"{name}: {problem or 'can run'}")
    if not (jars_folder().exists() and archives_folder().exists()):
        print("The first start of Kafka takes long; this does it now: python -m tools.servers fetch")
    return 1 if any(problems.values()) else 0


async def up(folder: Path, asked: argparse.Namespace) -> None:
    """Run what was asked for until a signal comes."""
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    servers = chosen(folder, asked)
    if "kafka" in servers:
        await fetch()
    async with running(*servers.values()):
        for what, server in servers.items():
            print(f"{what:10} {address(server)}", flush=True)
        await stopped.wait()


def chosen(folder: Path, asked: argparse.Namespace) -> dict[str, Server]:
    """Return the servers that were asked for."""
    every = not (asked.postgres or asked.kafka or asked.connect)
    servers: dict[str, Server] = {}
    if asked.postgres or every:
        servers["postgres"] = Postgres(folder / "postgres", asked.postgres or max(programs()))
    if asked.kafka or asked.connect or every:
        servers["kafka"] = kafka = Kafka(folder / "kafka")
        if asked.connect or every:
            servers["connect"] = Connect(folder / "connect", kafka)
    return servers


def address(server: Server) -> str:
    """Return what a client needs."""
    match server:
        case Postgres():
            return server.dsn()
        case Kafka():
            return server.bootstrap
        case Connect():
            return server.url
        case _:
            raise TypeError(f"no address is known of {server!r}")


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks; return the exit code."""
    asked = parser().parse_args(arguments)
    try:
        match asked.verb:
            case "check":
                return check()
            case "fetch":
                asyncio.run(fetch(print))
            case _:
                with tempfile.TemporaryDirectory() as folder:
                    asyncio.run(up(asked.data or Path(folder), asked))
    except ServerFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
