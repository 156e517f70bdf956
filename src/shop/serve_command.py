"""The command `shop serve`: one process of the distributed shop, told by options or by the environment."""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from shop import telemetry
from shop.settings import DATABASE, FRONT, GATEWAY, ServeSettings

ROOMS = ("orders", "billing", "payments", "warehouse", "delivery", "users", "notifications")
PROCESSES = (*ROOMS, FRONT, GATEWAY)
EPILOG = "example: shop serve billing --postgres postgresql://shop@db/{database} --kafka broker:9092 --port 9000"


def add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    serve = commands.add_parser("serve", help="run one service of the distributed shop", epilog=EPILOG)
    serve.add_argument("room", choices=PROCESSES, metavar="ROOM", help=", ".join(PROCESSES))
    for name, text in _TEXTS.items():
        default = os.environ.get(_variable(name), _DEFAULTS.get(name, ""))
        serve.add_argument(f"--{name}", default=default, metavar=_METAVARS.get(name, "TEXT"), help=_help(name, text))
    serve.add_argument("--seed", action="store_true", help="front: furnish an empty shop with products and a demo user")
    serve.add_argument(
        "--faults",
        action="store_true",
        default=bool(os.environ.get(_variable("faults"))),
        help="the room can be broken on purpose: see shop faults (default: whether $SHOP_FAULTS is set)",
    )
    telemetry.add_options(serve, log="json")
    serve.add_argument(
        "--xa",
        action="store_true",
        default=bool(os.environ.get(_variable("xa"))),
        help="two-phase by prepared transactions: for front and its voters (default: whether $SHOP_XA is set)",
    )
    serve.set_defaults(run=_serve)


_TEXTS = {
    "postgres": f"the databases' DSN, with {DATABASE} in place of the name",
    "kafka": "bootstrap server",
    "prefix": "goes before the names of topics",
    "rooms": "where the rooms answer calls",
    "gateway": "payments: address of the card gateway",
    "outbox": "relay: the service sends its messages itself; events: Debezium reads them",
    "host": "address to listen on",
    "port": "port for calls, health and metrics; 0 takes a free one",
    "ports": "the edges' ports, or auto",
    "limit": "orders in flight before 503",
    "session": "seconds after which Kafka gives the shards of a process that died or froze to others",
    "data": "front: folder of the operator's token",
    "addresses": "file to write this process's addresses into once it serves",
}
_DEFAULTS = {
    "outbox": "relay",
    "host": "127.0.0.1",
    "port": "0",
    "limit": "20000",
    "session": "6",
    "data": "data",
}
_METAVARS = {"postgres": "DSN", "kafka": "HOST:PORT", "rooms": "ROOM=URL,…", "gateway": "URL", "ports": "NAME=PORT,…"}


def _variable(name: str) -> str:
    return f"SHOP_{name.upper()}"


def _help(name: str, text: str) -> str:
    default = f", else {_DEFAULTS[name]}" if name in _DEFAULTS else ""
    return f"{text} (default: ${_variable(name)}{default})"


def _serve(arguments: argparse.Namespace) -> int:
    from amends.errors import AmendsError  # noqa: PLC0415 `shop --help` answers at once

    try:
        return _run(settings_of(arguments), arguments.addresses)
    except (AmendsError, OSError, ValueError) as error:
        print(f"shop serve {arguments.room}: {error}", file=sys.stderr)
        return 1


def settings_of(arguments: argparse.Namespace) -> ServeSettings:
    """Raises `ValueError`, which names the option that is missing or wrong."""
    from shop.main import ports  # noqa: PLC0415 it imports this module

    token = os.environ.get("SHOP_TOKEN", "")
    needed = {"--kafka": arguments.kafka, "SHOP_TOKEN in the environment": token}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        raise ValueError(f"{', '.join(missing)} is needed")
    if DATABASE not in arguments.postgres:
        raise ValueError(
            f"--postgres needs {DATABASE} in place of the database's name: {arguments.postgres!r} has none"
        )
    if arguments.outbox not in ("relay", "events"):
        raise ValueError(f"--outbox is relay or events, not {arguments.outbox!r}")
    return ServeSettings(
        arguments.room,
        arguments.postgres,
        arguments.kafka,
        token,
        rooms_of(arguments.rooms),
        arguments.gateway,
        arguments.prefix,
        arguments.outbox,
        arguments.host,
        _number("--port", arguments.port),
        ports(arguments.ports),
        _number("--limit", arguments.limit),
        Path(arguments.data),
        arguments.seed,
        _seconds("--session", arguments.session),
        telemetry.settings_of(arguments),
        arguments.faults,
        arguments.xa,
    )


def rooms_of(text: str) -> dict[str, str]:
    """`orders=http://10.0.0.7:9000,…`. Raises `ValueError` naming what is wrong."""
    found: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, _, url = part.partition("=")
        if name not in ROOMS or not url.startswith(("http://", "https://")):
            raise ValueError(f"--rooms: {part!r} is not one of {', '.join(ROOMS)} with =http://…")
        found[name] = url.rstrip("/")
    return found


def _number(option: str, text: str) -> int:
    if not str(text).isdecimal():
        raise ValueError(f"{option}: {text!r} is no number")
    return int(text)


def _seconds(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option}: {text!r} is no number of seconds") from None


def _run(settings: ServeSettings, addresses: str) -> int:
    import uvloop  # noqa: PLC0415

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, addresses))


async def serve(settings: ServeSettings, addresses: str) -> int:
    """From start to a signal. 0 when everything came to rest."""
    from shop.serving import ShopProcess  # noqa: PLC0415

    asked = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, asked.set)
    process = ShopProcess(settings)
    starting = asyncio.ensure_future(process.start())
    stopping = asyncio.ensure_future(asked.wait())
    await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])
        return 0
    starting.result()
    _tell(settings.room, process.addresses, addresses)
    await stopping
    await process.stop()
    return 0


def _tell(room: str, served: dict[str, str], path: str) -> None:
    print(f"{room} serves: {', '.join(f'{name} {url}' for name, url in served.items())}", flush=True)
    if path:
        fresh = Path(path).with_suffix(".new")
        fresh.write_text(json.dumps(served, indent=2) + "\n")
        os.replace(fresh, path)
