"""How Debezium's PostgreSQL connector is set up to send what is in a service's `outbox_events`.

Its event router makes of each row the very message that the relay would have sent: topic, key, value, headers. Headers
that the relay leaves out come empty, which means the same; one named `id` comes on top.

    config = connector("hotel", "postgresql://capture:secret@db:5432/hotel")    # PUT /connectors/hotel/config
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from amends.adapters.postgres import heartbeat, outbox_events
from amends.errors import DefinitionError

_STRING = "org.apache.kafka.connect.storage.StringConverter"
_MATCHES = "org.apache.kafka.connect.transforms.predicates.TopicNameMatches"
_MOST_LETTERS = 63

_FIXED = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "tasks.max": "1",
    "plugin.name": "pgoutput",
    "publication.autocreate.mode": "filtered",
    "table.include.list": f"public.{outbox_events.TABLE},public.{heartbeat.TABLE}",
    # What was put in before the slot was there is not sent: see `amends cdc resend`.
    "snapshot.mode": "no_data",
    # Rows that are pruned are not published; beats are updates, and have to be.
    "skipped.operations": "d,t",
    "tombstones.on.delete": "false",
    "extended.headers.enabled": "false",
    # Text goes out byte for byte, the key to the partition that any client would choose for it.
    "key.converter": _STRING,
    "value.converter": _STRING,
    "header.converter": _STRING,
    # With the default of 500 a message waits for half a second.
    "poll.interval.ms": "10",
    # With the defaults the database's stop takes 9 s, and 10 s pass until the connector is back after one.
    "status.update.interval.ms": "500",
    "retriable.restart.connector.wait.ms": "500",
    "slot.retry.delay.ms": "1000",
    "slot.max.retries": "60",
    # Of workers that send exactly once: a killed one's open transaction holds up readers, and its own successor.
    "producer.override.transaction.timeout.ms": "10000",
    "topic.creation.groups": "beats",
    "topic.creation.beats.include": "__debezium-heartbeat[.].*",
    "topic.creation.beats.partitions": "1",
    "topic.creation.beats.retention.ms": "3600000",
    "predicates": "outbox,beat",
    "predicates.outbox.type": _MATCHES,
    "predicates.outbox.pattern": f".*[.]public[.]{outbox_events.TABLE}",
    "predicates.beat.type": _MATCHES,
    "predicates.beat.pattern": f".*[.]public[.]{heartbeat.TABLE}",
    "transforms": "drop,route",
    "transforms.drop.type": "org.apache.kafka.connect.transforms.Filter",
    "transforms.drop.predicate": "beat",
    "transforms.route.type": "io.debezium.transforms.outbox.EventRouter",
    "transforms.route.predicate": "outbox",
    "transforms.route.table.fields.additional.placement": f"{outbox_events.PLACEMENT},aggregateid:header:ce_subject",
}


class Topics(NamedTuple):
    """Of the topics that the capture sends to: `prefix` goes before each name, as in `KafkaSettings`.

    One that is not there is made, with so many `partitions` and `replicas`; -1: as the broker has it by default.
    """

    prefix: str = ""
    partitions: int = -1
    replicas: int = -1


def connector(
    name: str,
    dsn: str,
    topics: Topics = Topics(),  # noqa: B008 - a value, never changed
    heartbeat_s: float = 5.0,
    settings: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The configuration of the connector `name`, which reads the database of `dsn`; `settings` go before its own.

    Slot and publication are named after it, so it has to be one's own among all databases of the server. The role of
    `dsn` needs REPLICATION, owns both tables or is a member of who does. Raises `DefinitionError`.
    """
    return {
        **_FIXED,
        **_database(dsn),
        "slot.name": slot_name(name),
        "publication.name": slot_name(name),
        "topic.prefix": re.sub(r"[^\w.-]", "_", f"{topics.prefix}{name}", flags=re.ASCII),
        "heartbeat.interval.ms": str(round(heartbeat_s * 1000)),
        "heartbeat.action.query": heartbeat.BEAT,
        "topic.creation.default.partitions": str(topics.partitions),
        "topic.creation.default.replication.factor": str(topics.replicas),
        "topic.creation.beats.replication.factor": str(topics.replicas),
        "transforms.route.route.topic.replacement": f"{topics.prefix}${{routedByValue}}",
        **(settings or {}),
    }


def slot_name(name: str) -> str:
    """The replication slot of the connector `name`. Raises `DefinitionError` for a name that is too long.

    >>> slot_name("hotel-eu")
    'amends_hotel_eu'
    """
    slot = f"amends_{re.sub(r'[^a-z0-9_]', '_', name.lower())}"
    if len(slot) > _MOST_LETTERS:
        raise DefinitionError(f"{slot!r} is too long for a replication slot: at most {_MOST_LETTERS} letters")
    return slot


def _database(dsn: str) -> dict[str, str]:
    parts = urlsplit(dsn)
    if not (parts.hostname and parts.username and parts.path.strip("/")):
        wanted = "postgresql://user:password@host:port/database"
        raise DefinitionError(f"Debezium wants a user, a host and a database: {wanted}, not {_public(parts)!r}")
    named = {
        "hostname": parts.hostname,
        "port": str(parts.port or 5432),
        "user": unquote(parts.username),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path.lstrip("/")),
        "sslmode": parse_qs(parts.query).get("sslmode", [""])[0],
    }
    return {f"database.{key}": value for key, value in named.items() if value}


def _public(parts: SplitResult) -> str:
    """Without the password."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
