"""The command `cdc`: change data captures that read outboxes in PostgreSQL. It needs no program and no data folder."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from importlib import import_module

from amends.commands.command import Command, Desk, Unusable
from amends.commands.looking import seconds

_WORK = "amends.commands.capture"  # its drivers are extras


def pair(text: str) -> tuple[str, str]:
    """`poll.interval.ms=5`."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, value


async def _work(desk: Desk, options: Namespace) -> int:
    """Each verb is a function of that module."""
    try:
        work = getattr(import_module(_WORK), options.verb)
    except ImportError as error:
        raise Unusable(f"{error}: pip install 'amends[postgres,kafka]'") from error
    code: int = await work(desk, options)
    return code


def _dsn(parser: ArgumentParser) -> None:
    dsn = "the service's database: postgresql://user:password@host:port/database"
    parser.add_argument("--dsn", dest="database", required=True, metavar="DSN", help=dsn)


def _named(parser: ArgumentParser) -> None:
    _dsn(parser)
    parser.add_argument("--name", required=True, help="the connector's name; slot and publication are named after it")


def _prefix(parser: ArgumentParser) -> None:
    parser.add_argument("--prefix", default="", help="goes before the name of every topic")


def _connector_options(parser: ArgumentParser) -> None:
    _named(parser)
    _prefix(parser)
    parser.add_argument("--partitions", type=int, default=-1, help="of topics that are missing (default: the broker's)")
    parser.add_argument("--replicas", type=int, default=-1, help="of topics that are missing (default: the broker's)")
    parser.add_argument("--heartbeat", type=float, default=5.0, metavar="S", help="seconds between beats (default: 5)")
    setting = "a setting of Debezium's or of Kafka Connect's; may be repeated"
    parser.add_argument("--set", type=pair, action="append", default=[], metavar="NAME=VALUE", help=setting)


def _resend_options(parser: ArgumentParser) -> None:
    _dsn(parser)
    _kafka(parser)
    parser.add_argument("--after", metavar="ID", help="only messages behind this one")


def _recover_options(parser: ArgumentParser) -> None:
    _named(parser)
    parser.add_argument("--connect", required=True, metavar="URL", help="where Kafka Connect is: http://host:8083")
    _kafka(parser)


def _kafka(parser: ArgumentParser) -> None:
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT", help="where Kafka is")
    _prefix(parser)
    parser.add_argument(
        "--set",
        type=pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of Kafka's client; may be repeated",
    )
    parser.add_argument(
        "--since", type=seconds, metavar="TIME", help="only what is younger: 90s, 5m, 2h (default: all)"
    )


_DSN = "--dsn postgresql://capture:secret@db/hotel"
VERBS = (
    Command(
        "connector",
        "print the configuration of Debezium's connector for an outbox",
        f"amends cdc connector {_DSN} --name hotel",
        _work,
        _connector_options,
    ),
    Command("slot", "is a capture's replication slot well?", f"amends cdc slot {_DSN} --name hotel", _work, _named),
    Command(
        "resend",
        "send what an outbox still holds, once more",
        f"amends cdc resend {_DSN} --kafka kafka:9092 --since 20m",
        _work,
        _resend_options,
    ),
    Command(
        "recover",
        "give a capture a new slot, and send what the lost one has swallowed",
        f"amends cdc recover {_DSN} --name hotel --connect http://connect:8083 --kafka kafka:9092",
        _work,
        _recover_options,
    ),
)


def _options(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        one = verbs.add_parser(verb.name, help=verb.help, description=verb.help, epilog=f"example: {verb.example}")
        verb.options(one)


COMMANDS = (Command("cdc", "look after change data captures", VERBS[0].example, _work, _options, alone=True),)
