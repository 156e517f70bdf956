"""PostgreSQL, Kafka, Connect and every service, each a process of this machine."""

import asyncio
import json
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from amends.adapters.kafka import KafkaSettings, create_topics
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.database import ensure_database
from amends.adapters.postgres.debezium import connector, slot_name
from shop.app import app
from shop.serve_command import PROCESSES, ROOMS
from shop.serving import ADDRESSES, TOPICS
from shop.settings import FRONT, PORTS
from shop.xa import VOTES
from tools.distributed.service import ServiceProcess
from tools.servers import Connect, Kafka, Postgres, TcpProxy, fetch
from tools.servers.ports import free_port
from tools.servers.postgres import programs
from tools.servers.process import Server

CAPTURED = "billing"
BY_XA = (FRONT, *VOTES)
EDGES = {"orders": ("api",), "front": tuple(name for name in PORTS if name != "api")}


@dataclass(frozen=True, slots=True)
class Options:
    """`postgres` is a version, 0 the newest here; `partitions` of each topic; `copies` of a room besides one.

    `cdc`: Debezium reads billing's outbox. `ports` of the edges, 0 takes free ones. `session_s`: after so long Kafka
    gives the shards of a process that died or froze to others. `proxied`: there are `Distributed.proxies`.
    `faults`: rooms can be broken on purpose. `xa`: two-phase votes by prepared transactions.
    """

    postgres: int = 0
    partitions: int = 4
    copies: tuple[tuple[str, int], ...] = ()
    cdc: bool = True
    ports: tuple[tuple[str, int], ...] = tuple((name, 0) for name in PORTS)
    seed: bool = True
    session_s: float = 6.0
    proxied: bool = False
    faults: bool = False
    xa: bool = False


class Distributed:
    """The whole shop in `folder`; `say` is told of each part that is ready.

    `proxies`, when it is made with them: of each service, and of `connect`, the way to PostgreSQL; `kafka`: everybody's
    way to the broker.
    """

    def __init__(self, folder: Path, options: Options = Options(), say: Callable[[str], None] = lambda _: None) -> None:
        self.folder = folder.absolute()
        self.options = options
        self.postgres = Postgres(self.folder / "postgres", options.postgres or max(programs()))
        self.kafka = Kafka(self.folder / "kafka")
        self.connect = Connect(self.folder / "connect", self.kafka)
        self.services: dict[str, ServiceProcess] = {}
        self.addresses: dict[str, str] = {}
        self.proxies: dict[str, TcpProxy] = {}
        self._say = say
        self._token = ""
        self._undo = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def dsn(self) -> str:
        """With `{database}` in place of a database's name."""
        return self.postgres.dsn("{database}")

    @property
    def operator_token(self) -> str:
        return (self.folder / "operator.token").read_text().strip()

    async def start(self) -> None:
        """Return when every part can do its work."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._token = _kept(self.folder / "calls.token")
        await fetch()
        if self.options.proxied:
            await self._open_ways()
        await self._start_servers()
        await asyncio.gather(*(ensure_database(self.postgres.dsn(name)) for name in app.databases))
        await create_topics(
            KafkaSettings(bootstrap=self.kafka.bootstrap), [*ADDRESSES, *TOPICS], self.options.partitions
        )
        if self.options.cdc:
            await self._capture(CAPTURED)
        self._make_services()
        await self._start_services()
        self._publish()

    async def stop(self) -> None:
        """In order: services first, then what they stand on."""
        await asyncio.gather(*(each.stop() for each in self.services.values()))
        await self._undo.aclose()
        (self.folder / "addresses.json").unlink(missing_ok=True)

    async def _open_ways(self) -> None:
        ports = dict.fromkeys([*self._names(), "connect"], self.postgres.port) | {"kafka": self.kafka.port}
        self.proxies = {name: TcpProxy(port) for name, port in ports.items()}
        self.kafka.advertised_port = self.proxies["kafka"].port
        for proxy in self.proxies.values():
            await proxy.start()
            self._undo.push_async_callback(proxy.stop)

    def _dsn_for(self, name: str, database: str) -> str:
        """Where somebody finds a database."""
        dsn = self.postgres.dsn(database)
        proxy = self.proxies.get(name)
        return dsn.replace(f":{self.postgres.port}/", f":{proxy.port}/") if proxy else dsn

    async def _start_servers(self) -> None:
        servers: list[Server] = [self.postgres, self.kafka, *([self.connect] if self.options.cdc else [])]
        for server in servers:
            self._undo.push_async_callback(server.stop)
        async with asyncio.TaskGroup() as starts:
            for server in servers:
                starts.create_task(server.start())
        self._say(f"PostgreSQL {self.postgres.version} {self.dsn}")
        self._say(f"Kafka {self.kafka.bootstrap}")
        if self.options.cdc:
            self._say(f"Kafka Connect {self.connect.url}")

    async def _capture(self, room: str) -> None:
        """Debezium reads a room's outbox from before its first message."""
        dsn = self.postgres.dsn(room)
        storage = PostgresStorage(dsn, app.databases[room], name=room, outbox="events")
        await storage.migrate()
        await storage.close()
        await self.connect.put_connector(room, connector(room, self._dsn_for("connect", room)))
        await self.postgres.wait_for_slot(slot_name(room))
        self._say(f"Debezium reads {room}'s outbox")

    def _names(self) -> dict[str, str]:
        """The processes, each with its room."""
        counts = dict.fromkeys(PROCESSES, 1) | {room: 1 + more for room, more in self.options.copies}
        return {room if nth == 1 else f"{room}-{nth}": room for room in PROCESSES for nth in range(1, counts[room] + 1)}

    def _make_services(self) -> None:
        names = self._names()
        ports = {name: free_port() for name in names}
        rooms = ",".join(f"{room}=http://127.0.0.1:{ports[room]}" for room in ROOMS)
        common = {"kafka": self.kafka.bootstrap, "rooms": rooms, "data": str(self.folder)}
        for name, room in names.items():
            options = common | self._options_of(name, room, ports)
            self.services[name] = ServiceProcess(name, room, self.folder, ports[name], options, self._token)

    def _options_of(self, name: str, room: str, ports: dict[str, int]) -> dict[str, str]:
        """Edges stay where they are when a process starts again; a second one of a room takes free ports."""
        wanted = dict(self.options.ports) if name == room else {}
        edges = ",".join(f"{edge}={wanted.get(edge) or free_port()}" for edge in EDGES.get(room, ()))
        options = {"ports": edges or "auto", "session": f"{self.options.session_s:g}"}
        options["postgres"] = self._dsn_for(name, "{database}")
        if room == "payments":
            options["gateway"] = f"http://127.0.0.1:{ports['gateway']}"
        if room == CAPTURED and self.options.cdc:
            options["outbox"] = "events"
        if self.options.faults:
            options["faults"] = ""
        if self.options.xa and room in BY_XA:
            options["xa"] = ""
        if room == "front" and self.options.seed:
            options["seed"] = ""
        return options

    async def _start_services(self) -> None:
        async with asyncio.TaskGroup() as starts:
            for service in self.services.values():
                starts.create_task(self._start(service))

    async def _start(self, service: ServiceProcess) -> None:
        await service.start()
        self._say(f"{service.name} ready, process {service.process.pid}")

    def _publish(self) -> None:
        """As an embedded shop does."""
        for name, service in self.services.items():
            served: dict[str, str] = json.loads(service.addresses.read_text())
            self.addresses |= {edge: url for edge, url in served.items() if edge in PORTS and name == service.room}
        (self.folder / "addresses.json").write_text(json.dumps(self.addresses, indent=2) + "\n")


def _kept(path: Path) -> str:
    """The secret in a file of its owner's; made with the first start."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text()
