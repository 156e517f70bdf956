"""The command `shop`."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from shop import telemetry
from shop.faults_command import add_faults
from shop.prepare_command import add_prepare
from shop.serve_command import add_serve
from shop.settings import DATABASE, OWN_SERVER, PORTS, Settings

_POSTGRES = f"databases on a server: postgresql://…/{DATABASE}; without DSN on one that is started in the data folder"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except KeyboardInterrupt:
        code = 0
    return code


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="shop", description="A real online shop on Amends.")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="run the whole shop in this process", epilog="example: shop up --ports auto")
    up.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="data folder (default: ./data)")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    up.add_argument("--ports", default="", metavar="auto|NAME=PORT,…", help=f"ports; default: {_default_ports()}")
    up.add_argument("--limit", type=int, default=Settings().limit, help="orders in flight before 503 (20000)")
    up.add_argument("--postgres", nargs="?", const=OWN_SERVER, default="", metavar="DSN", help=_POSTGRES)
    up.add_argument("--quiet", action="store_true", help="no line for each saga that ends")
    up.add_argument("--faults", action="store_true", help="rooms can be broken on purpose: see shop faults")
    telemetry.add_options(up, log="off")
    up.add_argument("--xa", action="store_true", help="two-phase by prepared transactions; needs --postgres")
    up.set_defaults(run=_up)
    order = commands.add_parser("order", help="place four orders in the running shop", epilog="example: shop order")
    order.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="data folder of the shop")
    order.set_defaults(run=_order)
    add_faults(commands)
    add_serve(commands)
    add_prepare(commands)
    return top


def _default_ports() -> str:
    return ",".join(f"{name}={port}" for name, port in PORTS.items())


def ports(text: str) -> tuple[tuple[str, int], ...]:
    """`auto`, or `api=8080,ops=8090`, over the defaults. Raises `ValueError` naming what is wrong."""
    if text == "auto":
        return tuple((name, 0) for name in PORTS)
    chosen = dict(PORTS)
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name not in PORTS or not number.isdecimal() or int(number) > 65535:
            raise ValueError(f"--ports: {part!r} is not one of {', '.join(PORTS)} with =PORT, nor auto")
        chosen[name] = int(number)
    return tuple(chosen.items())


def _up(arguments: argparse.Namespace) -> int:
    from amends.errors import AmendsError  # noqa: PLC0415 `shop --help` answers at once

    try:
        wanted = ports(arguments.ports)
        told = telemetry.settings_of(arguments)
        settings = Settings(
            arguments.data,
            arguments.host,
            wanted,
            arguments.limit,
            arguments.postgres,
            told,
            arguments.faults,
            arguments.xa,
        )
        return _run(settings, arguments.quiet or arguments.log != "off")
    except (AmendsError, OSError, ValueError) as error:
        print(f"shop: {_told(error)}", file=sys.stderr)
        return 1


def _told(error: Exception) -> str:
    """Without the number that only a programmer knows."""
    if isinstance(error, OSError) and error.strerror and not error.filename:
        return error.strerror
    return str(error)


def _run(settings: Settings, quiet: bool) -> int:
    import uvloop  # noqa: PLC0415

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, quiet))


async def serve(settings: Settings, quiet: bool) -> int:
    """From start to a signal. 0 when everything came to rest."""
    from shop.board import Board  # noqa: PLC0415
    from shop.wiring import Shop  # noqa: PLC0415

    asked = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, asked.set)
    shop, board = Shop(settings), Board(quiet)
    await shop.start()
    board.open(shop)
    await asked.wait()
    board.close()
    await shop.stop()
    return 0


def _order(arguments: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415

    from amends.adapters.asyncio_runtime import AsyncioRuntime  # noqa: PLC0415
    from shop.order_script import run  # noqa: PLC0415

    return asyncio.run(run(arguments.data, Console(), AsyncioRuntime()))
