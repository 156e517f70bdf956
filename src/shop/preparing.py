"""What has to be there before the first service of the distributed shop starts: databases, topics, the capture."""

from collections.abc import Callable

from amends.adapters.kafka import KafkaSettings, create_topics
from amends.adapters.kafka_connect import KafkaConnect
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.database import ensure_database
from amends.adapters.postgres.debezium import Topics, connector
from shop.app import app
from shop.serving import ADDRESSES, TOPICS
from shop.settings import PrepareSettings


async def prepare(settings: PrepareSettings, say: Callable[[str], None]) -> None:
    """May be run again, and beside a running shop: what is there stays as it is."""
    for name in app.databases:
        made = "made" if await ensure_database(settings.dsn(name)) else "there"
        say(f"database {name}: {', '.join([made, *await _migrated(settings, name)])}")
    kafka = KafkaSettings(bootstrap=settings.kafka, prefix=settings.prefix)
    for topic in await create_topics(kafka, [*ADDRESSES, *TOPICS], settings.partitions, settings.replicas):
        say(f"topic {topic}: made, {settings.partitions} partitions")
    for room in settings.captured:
        topics = Topics(settings.prefix, settings.partitions, settings.replicas)
        await KafkaConnect(settings.connect).put(room, connector(room, settings.dsn(room), topics))
        say(f"connector {room}: reads the outbox of {room}")


async def _migrated(settings: PrepareSettings, name: str) -> list[str]:
    storage = PostgresStorage(settings.dsn(name), app.databases[name], name=name)
    try:
        return [line.partition(": ")[2] for line in await storage.migrate()]
    finally:
        await storage.close()
