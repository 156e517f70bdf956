"""What `amends cdc` does: one function a verb. Needs the drivers of PostgreSQL and of Kafka."""

from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.kafka_connect import KafkaConnect
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.debezium import Topics, slot_name
from amends.adapters.postgres.debezium import connector as connector_of
from amends.adapters.postgres.recovery import renew_slot, send_left
from amends.adapters.postgres.recovery import resend as send_again
from amends.adapters.postgres.slots import look
from amends.commands.command import NO, OK, Desk
from amends.messages import MessageId
from amends.signals import Field, Signals


async def connector(desk: Desk, options: Namespace) -> int:
    topics = Topics(options.prefix, options.partitions, options.replicas)
    desk.screen.data(connector_of(options.name, options.database, topics, options.heartbeat, dict(options.set)))
    return OK


async def slot(desk: Desk, options: Namespace) -> int:
    async with _storage(options) as storage, storage.reading() as reader:
        found = await look(reader, slot_name(options.name))
    rows = [(name, "–" if value is None else str(value)) for name, value in found._asdict().items()]
    desk.screen.show(found._asdict(), rows, (), keep=(0,))
    return NO if found.is_lost or not found.active else OK


async def resend(desk: Desk, options: Namespace) -> int:
    after = None if options.after is None else MessageId(options.after)
    await _resend(desk, options, after)
    return OK


async def recover(desk: Desk, options: Namespace) -> int:
    """In an order in which nothing is lost, wherever it is broken off: then it is given again."""
    workers, slot = KafkaConnect(options.connect), slot_name(options.name)
    await workers.stop(options.name)
    await workers.forget(options.name)
    desk.screen.line(f"the connector {options.name} is stopped, and has forgotten how far it was")
    await renew_slot(options.database, slot)
    desk.screen.line(f"the slot {slot} is made")
    await _resend(desk, options)
    await workers.resume(options.name)
    desk.screen.line(f"the connector {options.name} goes on from there")
    return OK


async def _resend(desk: Desk, options: Namespace, after: MessageId | None = None) -> None:
    signals = Signals()

    def hear(name: str, fields: dict[str, Field]) -> None:
        desk.screen.line(f"{name}: {fields.get('error')}")

    signals.listen(hear)
    now = desk.runtime.now()
    since = 0.0 if options.since is None else now - options.since
    settings = KafkaSettings(bootstrap=options.kafka, prefix=options.prefix, properties=dict(options.set))
    async with _storage(options) as storage, Kafka(settings, signals) as kafka:
        sent = await send_left(storage, kafka, now) + await send_again(storage, kafka, since, after)
    desk.screen.line(f"messages sent again: {sent}")


@asynccontextmanager
async def _storage(options: Namespace) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(options.database, outbox="events")
    try:
        yield storage
    finally:
        await storage.close()
