"""The command `shop prepare`: databases, topics and connectors for the distributed shop."""

import argparse
import asyncio
import os
import sys

from shop.serve_command import ROOMS
from shop.settings import DATABASE, PrepareSettings

EPILOG = "example: shop prepare --postgres postgresql://shop@db/{database} --kafka broker:9092"


def add_prepare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    prepare = commands.add_parser("prepare", help="make what shop serve needs: databases, topics", epilog=EPILOG)
    said = os.environ.get
    prepare.add_argument(
        "--postgres",
        default=said("SHOP_POSTGRES", ""),
        metavar="DSN",
        help=f"the databases' DSN, with {DATABASE} in place of the name (default: $SHOP_POSTGRES)",
    )
    prepare.add_argument(
        "--kafka", default=said("SHOP_KAFKA", ""), metavar="HOST:PORT", help="bootstrap server (default: $SHOP_KAFKA)"
    )
    prepare.add_argument(
        "--prefix", default=said("SHOP_PREFIX", ""), help="goes before the names of topics (default: $SHOP_PREFIX)"
    )
    prepare.add_argument("--partitions", type=int, default=4, help="of each topic (4)")
    prepare.add_argument("--replicas", type=int, default=1, help="of each partition (1)")
    prepare.add_argument("--connect", default="", metavar="URL", help="Kafka Connect with Debezium")
    prepare.add_argument("--captured", default="", metavar="ROOM,…", help="rooms whose outbox Debezium reads")
    prepare.set_defaults(run=_prepare)


def settings_of(arguments: argparse.Namespace) -> PrepareSettings:
    """Raises `ValueError`, which names the option that is missing or wrong."""
    captured = tuple(filter(None, arguments.captured.split(",")))
    if DATABASE not in arguments.postgres:
        raise ValueError(
            f"--postgres needs {DATABASE} in place of the database's name: {arguments.postgres!r} has none"
        )
    if not arguments.kafka:
        raise ValueError("--kafka is needed: the broker's host:port")
    if wrong := [room for room in captured if room not in ROOMS]:
        raise ValueError(f"--captured: {', '.join(wrong)} is not one of {', '.join(ROOMS)}")
    if captured and not arguments.connect:
        raise ValueError("--captured needs --connect: the address of Kafka Connect")
    return PrepareSettings(
        arguments.postgres,
        arguments.kafka,
        arguments.prefix,
        arguments.partitions,
        arguments.replicas,
        arguments.connect,
        captured,
    )


def _prepare(arguments: argparse.Namespace) -> int:
    from amends.errors import AmendsError  # noqa: PLC0415 `shop --help` answers at once
    from shop.preparing import prepare  # noqa: PLC0415

    try:
        asyncio.run(prepare(settings_of(arguments), print))
    except (AmendsError, OSError, ValueError) as error:
        print(f"shop prepare: {error}", file=sys.stderr)
        return 1
    return 0
