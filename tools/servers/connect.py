"""Kafka Connect with Debezium's connector, which reads outboxes from PostgreSQL's log."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec

from tools.servers.guard import guarded
from tools.servers.java import archived, fetch_jars, java, write_properties
from tools.servers.kafka import Kafka
from tools.servers.ports import free_port
from tools.servers.postgres import Postgres
from tools.servers.process import POLL_S, Process, ServerFailed

STRING = "org.apache.kafka.connect.storage.StringConverter"
SETTINGS = {
    "group.id": "connect",
    # Without this it searches all jars for plugins: three times slower.
    "plugin.discovery": "service_load",
    "key.converter": STRING,
    "value.converter": STRING,
    "config.storage.topic": "connect-configs",
    "config.storage.replication.factor": "1",
    "offset.storage.topic": "connect-offsets",
    "offset.storage.replication.factor": "1",
    "offset.storage.partitions": "1",
    "offset.flush.interval.ms": "1000",
    "status.storage.topic": "connect-status",
    "status.storage.replication.factor": "1",
    "status.storage.partitions": "1",
    "producer.linger.ms": "0",
    "exactly.once.source.support": "enabled",
    # With the defaults it takes over a minute until a killed worker's connectors run again.
    "scheduled.rebalance.max.delay.ms": "0",
    "session.timeout.ms": "3000",
    "heartbeat.interval.ms": "500",
    "rebalance.timeout.ms": "3000",
}
START_S = 60
STOP_S = 60
REQUEST_S = 20
# A group that is being rebalanced refuses changes for a moment.
BUSY = (409, 500, 503)


class Part(msgspec.Struct):
    """A connector, or one of its tasks: its state, and why it failed."""

    state: str
    trace: str = ""


class Status(msgspec.Struct):
    """What the worker says about a connector."""

    connector: Part
    tasks: list[Part] = []

    @property
    def is_running(self) -> bool:
        return bool(self.tasks) and all(part.state == "RUNNING" for part in (self.connector, *self.tasks))

    @property
    def traces(self) -> str:
        return "\n".join(part.trace for part in (self.connector, *self.tasks) if part.trace)


class Connect:
    """A worker in distributed mode that delivers exactly once; it keeps its state in topics of `kafka`.

    Its consumers have to read with `isolation.level=read_committed`. `settings` are added to its own, `flags` to the
    JVM's.
    """

    def __init__(
        self, folder: Path, kafka: Kafka, settings: Mapping[str, str] | None = None, flags: Sequence[str] = ()
    ) -> None:
        self.folder = folder.absolute()
        self.kafka = kafka
        self.port = free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self.process = Process("Kafka Connect", self.folder / "log")
        self._flags = flags

    @property
    def url(self) -> str:
        """Where its REST interface is."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it takes connectors, and goes on with those that it had; Kafka may be starting too."""
        await fetch_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        addresses = {"bootstrap.servers": self.kafka.bootstrap, "listeners": self.url}
        write_properties(self.folder / "worker.properties", self.settings | addresses)
        worker = ("org.apache.kafka.connect.cli.ConnectDistributed", str(self.folder / "worker.properties"))
        self.process.spawn(guarded(java(*worker, flags=self._flags or archived("connect"))))
        await self.process.until(self._is_ready, START_S)

    async def stop(self) -> None:
        """Shut down in order."""
        await self.process.stop(signal.SIGTERM, STOP_S)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        await self.process.kill()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def put_connector(self, name: str, config: Mapping[str, str]) -> None:
        """Make a connector, or change it."""
        await self._change("PUT", f"/connectors/{name}/config", dict(config))

    async def delete_connector(self, name: str) -> None:
        await self._change("DELETE", f"/connectors/{name}")

    async def status(self, name: str) -> Status | None:
        """What the worker knows of a connector: nothing for a moment after it was made."""
        code, answer = await self._call("GET", f"/connectors/{name}/status")
        return msgspec.json.decode(answer, type=Status) if code == 200 else None

    async def wait_running(self, name: str, patience_s: float = 90) -> None:
        """Wait until the connector and its task run; that they read the log by then, only their slot can say."""

        async def is_running() -> bool:
            status = await self.status(name)
            if status and status.traces:
                raise ServerFailed(f"the connector {name} failed:\n{status.traces}")
            return status is not None and status.is_running

        await self.process.until(is_running, patience_s, f"running the connector {name}")

    async def _change(self, method: str, path: str, body: Mapping[str, str] | None = None) -> None:
        deadline = time.monotonic() + REQUEST_S
        code, answer = await self._call(method, path, body)
        while code in BUSY and time.monotonic() < deadline:
            await asyncio.sleep(POLL_S)
            code, answer = await self._call(method, path, body)
        if code >= 300:
            raise ServerFailed(f"{method} {path} was answered with {code}: {answer.decode(errors='replace')}")

    async def _is_ready(self) -> bool:
        code, _ = await self._call("GET", "/health")
        return code == 200

    async def _call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        return await asyncio.to_thread(_request, self.port, method, path, msgspec.json.encode(body) if body else b"")


def _request(port: int, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """Return the answer's code and body; 503 when there is no answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=REQUEST_S)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException) as error:
        return 503, str(error).encode()
    finally:
        connection.close()


def outbox_connector(postgres: Postgres, database: str, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the settings of a connector that sends the rows of `public.outbox` to topics `outbox.event.<type>`.

    The table: `outbox(id uuid primary key, aggregatetype text, aggregateid text, type text, payload jsonb)`. A
    message's key is `aggregateid`, its headers are `id` and `eventType`. The slot is named `<database>_outbox`. Rows
    that are older than the slot are not sent: wait for it with `Postgres.wait_for_slot`.
    """
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "database.hostname": "127.0.0.1",
        "database.port": str(postgres.port),
        "database.user": "postgres",
        "database.password": "trusted",
        "database.dbname": database,
        "topic.prefix": database,
        "plugin.name": "pgoutput",
        "slot.name": f"{database}_outbox",
        "publication.name": "outbox",
        "publication.autocreate.mode": "filtered",
        "table.include.list": "public.outbox",
        "snapshot.mode": "no_data",
        "poll.interval.ms": "10",
        "extended.headers.enabled": "false",
        # The default makes PostgreSQL's stop wait for 9 s.
        "status.update.interval.ms": "500",
        "retriable.restart.connector.wait.ms": "500",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
        "transforms": "outbox",
        "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
        "transforms.outbox.table.fields.additional.placement": "type:header:eventType",
        **(settings or {}),
    }
