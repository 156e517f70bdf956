"""Rules of outbox, Kafka and PostgreSQL, each taken out by a patch."""

import asyncio
import re
from collections.abc import Mapping, Sequence

import pytest
from confluent_kafka import Consumer

from amends.adapters.kafka import KafkaSettings, records
from amends.adapters.kafka.reader import Reader
from amends.adapters.kafka.settings import Property
from amends.adapters.kafka.subscription import KafkaSubscription
from amends.adapters.postgres import outbox
from amends.adapters.postgres.outbox import PostgresOutbox
from amends.connections import Tx
from amends.messages import Envelope
from tests.amends.adapters import test_kafka_partitions
from tests.amends.hazards.servers import hotel

Patch = pytest.MonkeyPatch
all_batches = "select id, messages from outbox where id > :after order by id"


def offsets_before_the_database(patch: Patch) -> None:
    """What was received counts as done."""
    receive, acknowledge = KafkaSubscription.receive, KafkaSubscription.acknowledge

    async def received(self: KafkaSubscription, most: int) -> Sequence[Envelope]:
        batch = await receive(self, most)
        await acknowledge(self, batch)
        return batch

    async def done_already(self: KafkaSubscription, batch: Sequence[Envelope]) -> None:
        pass

    patch.setattr(KafkaSubscription, "receive", received)
    patch.setattr(KafkaSubscription, "acknowledge", done_already)


def offsets_commit_themselves(patch: Patch) -> None:
    """As Kafka's clients do unless they are told otherwise."""
    consumer = KafkaSettings.consumer

    def automatic(self: KafkaSettings, group_id: str) -> Mapping[str, Property]:
        return {**consumer(self, group_id), "enable.auto.commit": True, "auto.commit.interval.ms": 50}

    patch.setattr(KafkaSettings, "consumer", automatic)


def leader_alone_is_enough(patch: Patch) -> None:
    _producing(patch, {"enable.idempotence": False, "acks": 1})


def records_have_no_numbers(patch: Patch) -> None:
    """By which the broker would know one that comes again."""
    _producing(patch, {"enable.idempotence": False})


def _producing(patch: Patch, otherwise: Mapping[str, Property]) -> None:
    producer = KafkaSettings.producer
    patch.setattr(KafkaSettings, "producer", lambda self: {**producer(self), **otherwise})


def undecodable_records_are_dropped(patch: Patch) -> None:
    receive = KafkaSubscription.receive

    async def received(self: KafkaSubscription, most: int) -> Sequence[Envelope]:
        while batch := await receive(self, most):
            if legible := [each for each in batch if each.type != records.UNDECODABLE]:
                return legible
            await self.acknowledge(batch)
        return []

    patch.setattr(KafkaSubscription, "receive", received)


def undecodable_records_are_errors(patch: Patch) -> None:
    """Of whoever reads: it goes no further."""
    receive = KafkaSubscription.receive

    async def received(self: KafkaSubscription, most: int) -> Sequence[Envelope]:
        batch = await receive(self, most)
        if any(each.type == records.UNDECODABLE for each in batch):
            await asyncio.Future()
        return batch

    patch.setattr(KafkaSubscription, "receive", received)
    patch.setattr(hotel, "PATIENCE_S", 3.0)


def partitions_go_at_once(patch: Patch) -> None:
    """Nobody waits for what is in flight."""

    async def leave(self: KafkaSubscription, shards: Sequence[int]) -> None:
        self._claims.leave(shards)

    patch.setattr(KafkaSubscription, "leave", leave)
    patch.setattr(test_kafka_partitions, "REBALANCE_S", 30.0)


def outbox_has_a_cursor(patch: Patch) -> None:
    """It looks for ids beyond the last one that it has seen."""
    after = ""

    async def claim(self: PostgresOutbox, tx: Tx, before: float, limit: int) -> list[Envelope]:
        nonlocal after
        rows = await tx.fetch(all_batches, (after,))
        after = rows[-1][0] if rows else after
        return [each for _, messages in rows for each in outbox._decode(messages)]

    patch.setattr(PostgresOutbox, "claim", claim)


def sweeps_look_at_the_same_rows(patch: Patch) -> None:
    """They neither wait for each other nor pass over what is taken."""
    patch.setattr(outbox, "take_turn", "select 1")
    patch.setattr(outbox, "free_batches", outbox.free_batches.replace("for update skip locked", ""))


def claims_of_others_are_not_waited_for(patch: Patch) -> None:
    """A row that is taken is passed over, and what comes after it is not."""
    alone = re.sub(r"and not exists .*", "", outbox.free_batches)
    assert alone != outbox.free_batches
    patch.setattr(outbox, "free_batches", alone)


def hops_run_on_the_poll_loop(patch: Patch) -> None:
    """Nobody polls while a batch is at work."""
    turn = Reader._turn

    def waits(self: Reader, consumer: Consumer) -> None:
        subscription = self._listener
        assert isinstance(subscription, KafkaSubscription)
        if not subscription._claims.in_flight:
            turn(self, consumer)

    patch.setattr(Reader, "_turn", waits)


def groups_are_one(patch: Patch) -> None:
    patch.setattr(KafkaSettings, "group_id", lambda self, address, group: self.topic(address))
