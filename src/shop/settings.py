"""What can be set, by the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

PORTS = {
    "api": 8080,
    "ops": 8090,
    "queue-saga": 8101,
    "parallel-saga": 8102,
    "two-phase": 8105,
    "idempotent-orders": 8104,
    "pivot-saga": 8281,
    "pivot-saga/warehouse": 8283,
    "pivot-saga/payment": 8284,
    "pivot-saga/notification": 8285,
}
GATEWAY, FRONT = "gateway", "front"
DATABASE = "{database}"
OWN_SERVER = "own"


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """`otlp` is the base address of a collector of traces; empty: none. `log` is `json`, `text` or `off`.

    `ratio` is the share of traces begun here that has spans.
    """

    otlp: str = ""
    log: str = "off"
    ratio: float = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`ports` by edge; 0 takes a free one. `limit` bounds the orders in flight.

    `postgres`: a DSN with `{database}` in place of the name, or `own` for a server that is started here; empty: SQLite.
    `faults`: rooms can be broken on purpose. `xa`: rooms can vote by prepared transactions, on PostgreSQL.
    """

    data: Path = Path("data")
    host: str = "127.0.0.1"
    ports: tuple[tuple[str, int], ...] = tuple(PORTS.items())
    limit: int = 20_000
    postgres: str = ""
    telemetry: TelemetrySettings = TelemetrySettings()
    faults: bool = False
    xa: bool = False

    def port(self, edge: str) -> int:
        """The port of an edge; internal ones take any that is free."""
        return dict(self.ports).get(edge, 0)


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """One process of the distributed shop.

    `room` is what it serves. `postgres` is a DSN with `{database}` in place of the database's name, `kafka` is
    `host:port`, `prefix` goes before the names of topics. `rooms` says where the other rooms answer calls, `token` is
    what all processes of one shop know. `outbox`: whether the room sends its messages itself (`relay`), or Debezium
    reads them (`events`). `port` is for calls, health and metrics; `ports` are the edges'. After `session_s` seconds
    Kafka gives the shards of a process that died or froze to others. `faults`: the room can be broken on purpose.
    `xa`: the room can vote by prepared transactions.
    """

    room: str
    postgres: str
    kafka: str
    token: str = field(repr=False)
    rooms: Mapping[str, str]
    gateway: str = ""
    prefix: str = ""
    outbox: Literal["relay", "events"] = "relay"
    host: str = "127.0.0.1"
    port: int = 0
    ports: tuple[tuple[str, int], ...] = tuple(PORTS.items())
    limit: int = 20_000
    data: Path = Path("data")
    seed: bool = False
    session_s: float = 6.0
    telemetry: TelemetrySettings = TelemetrySettings()
    faults: bool = False
    xa: bool = False

    def dsn(self, room: str) -> str:
        """Of a room's own database."""
        return self.postgres.replace(DATABASE, room)


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """What the distributed shop needs before it starts. `captured` are the rooms whose outbox Debezium reads."""

    postgres: str
    kafka: str
    prefix: str = ""
    partitions: int = 4
    replicas: int = 1
    connect: str = ""
    captured: tuple[str, ...] = ()

    def dsn(self, room: str) -> str:
        return self.postgres.replace(DATABASE, room)
