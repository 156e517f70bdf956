"""Fills the cache, so that every later start is fast."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from tools.servers.cache import kept
from tools.servers.connect import Connect, outbox_connector
from tools.servers.java import archives_folder, archiving, fetch_jars, missing_for_kafka
from tools.servers.kafka import Kafka, formatted_storage
from tools.servers.postgres import Postgres, postgres_versions, template_of
from tools.servers.process import running

OUTBOX = """create table outbox (
    id uuid primary key, aggregatetype text, aggregateid text, type text, payload jsonb
)"""


def _silent(_: str) -> None:
    pass


async def fetch(say: Callable[[str], None] = _silent) -> None:
    """Fill the cache for every server that can run here; what is in it already stays."""
    for version in postgres_versions():
        say(f"PostgreSQL {version}: {await template_of(version)}")
    if missing := missing_for_kafka():
        say(f"Kafka, Connect: {missing}")
        return
    say(f"Kafka, Connect: jars: {await fetch_jars()}")
    say(f"Kafka: {await formatted_storage()}")
    say(f"Kafka, Connect: class archives: {await class_archives()}")


async def class_archives() -> Path:
    """Return the cache's folder with the classes that Kafka and Connect have loaded, ready to be mapped."""
    return await kept(archives_folder().name, _archive_classes)


async def _archive_classes(folder: Path) -> None:
    """Let both run once, with a connector where there is a database; they write what they have loaded as they end."""
    run = folder / "run"
    kafka = Kafka(run / "kafka", flags=archiving("kafka", folder))
    connect = Connect(run / "connect", kafka, flags=archiving("connect", folder))
    async with running(kafka, connect):
        if versions := postgres_versions():
            await _run_connector(Postgres(run / "postgres", versions[-1]), connect)
    await asyncio.to_thread(shutil.rmtree, run)


async def _run_connector(postgres: Postgres, connect: Connect) -> None:
    async with running(postgres):
        await postgres.run(OUTBOX)
        await connect.put_connector("outbox", outbox_connector(postgres, "postgres"))
        await connect.wait_running("outbox")
        await postgres.wait_for_slot("postgres_outbox")
        await postgres.run("insert into outbox values (gen_random_uuid(), 'first', '1', 'Happened', '{}')")
        await connect.delete_connector("outbox")
