"""A Kafka broker that is its own controller."""

import asyncio
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tools.servers.cache import digest, kept
from tools.servers.guard import guarded
from tools.servers.java import archived, fetch_jars, jars_folder, java, write_properties
from tools.servers.ports import free_port
from tools.servers.process import Process, completed

CLUSTER = "YW1lbmRzLXNlcnZlcnMtMQ"  # an id is 16 bytes in base64
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "group.initial.rebalance.delay.ms": "0",
    # Tests let consumers die, and wait until that is noticed.
    "group.min.session.timeout.ms": "1000",
    "auto.create.topics.enable": "false",
    # The defaults want more memory than the whole heap.
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.index.size.max.bytes": "1048576",
    # A killed broker can't come back before its session has ended; the default is 9 s.
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "300",
}
START_S = 60
STOP_S = 60
TOPIC_S = 20


class Kafka:
    """A broker in `folder`, on one port for as long as this object lives.

    Behind a proxy, set `advertised_port` before the start: clients come back to where the broker says that it is.
    `settings` are added to its own, `flags` to the JVM's.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None, flags: Sequence[str] = ()) -> None:
        self.folder = folder.absolute()
        self.port = free_port()
        self.advertised_port = self.port
        self.settings = {**SETTINGS, **(settings or {})}
        self.process = Process("Kafka", self.folder / "log")
        self._controller_port = free_port()
        self._flags = flags

    @property
    def bootstrap(self) -> str:
        """Where clients find it."""
        return f"127.0.0.1:{self.advertised_port}"

    async def start(self) -> None:
        """Return when it answers; the first start makes its storage."""
        await fetch_jars()
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            shutil.copytree(await formatted_storage() / "data", self._data)
        write_properties(self._properties, self._all_settings())
        flags = self._flags or archived("kafka")
        self.process.spawn(guarded(java("kafka.Kafka", str(self._properties), flags=flags)))
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

    async def create_topics(self, topics: Mapping[str, int]) -> None:
        """Make topics, each with a number of partitions."""
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        making = client.create_topics([NewTopic(*topic, 1) for topic in topics.items()], operation_timeout=TOPIC_S)
        await asyncio.gather(*map(asyncio.wrap_future, making.values()))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _all_settings(self) -> dict[str, str]:
        return self.settings | {
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": str(self._data),
        }

    async def _is_ready(self) -> bool:
        return "Kafka Server started" in self.process.output()


async def formatted_storage() -> Path:
    """Return the cache's folder in which `data` is an empty broker's; every broker starts as a copy of it."""
    await fetch_jars()

    async def make(folder: Path) -> None:
        blank = Kafka(folder)
        write_properties(folder / "server.properties", blank._all_settings())
        arguments = ("format", "-t", CLUSTER, "-c", str(folder / "server.properties"))
        await completed(java("kafka.tools.StorageTool", *arguments))

    return await kept(f"kafka-{digest(jars_folder().name)}", make)
