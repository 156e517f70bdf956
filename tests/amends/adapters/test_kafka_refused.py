"""A row of the outbox that the broker refuses: later rows of its key wait for it, others do not."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import KafkaError

from amends.adapters.kafka import Kafka
from amends.adapters.kafka.lanes import Lanes, Sent
from amends.adapters.sqlite import SqliteStorage
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ids, ignore, received
from amends.messages import Envelope
from amends.outbox import SWEEP_AFTER_S, TIDY_AFTER_S, OutboxRelay
from amends.testing.runtime import VirtualRuntime
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_listening import Heard
from tests.amends.adapters.mock_kafka import PRODUCE, MockKafka

addresses = kafka_clusters.addresses
mock = kafka_clusters.mock


class Post:
    """A service's outbox on SQLite, its relay, and what has come out at the other end."""

    def __init__(self, kafka: Kafka, heard: Heard, folder: Path) -> None:
        self.heard = heard
        self.got: list[str] = []
        self.storage = SqliteStorage(folder / "post.db")
        self._runtime = VirtualRuntime()
        self._relay = OutboxRelay(self.storage, kafka, self._runtime)
        self._subscription = kafka.subscribe("hotel")

    async def put(self, *messages: Envelope | str) -> None:
        """In one transaction. The first letter of an id is its key."""
        async with self.storage.transaction(self._runtime.now()) as tx:
            whole = [each if isinstance(each, Envelope) else envelope(each, key=each[0]) for each in messages]
            await self._relay.put(tx, whole)

    async def refused(self, count: int = 1) -> None:
        """So often something has been refused."""
        await self.heard.until(lambda: len(self.heard.of("message.unsent")) >= count)

    async def has(self, *wanted: str) -> list[str]:
        """What has come out as soon as all of these have."""
        while not {*wanted} <= {*self.got}:
            self.got += ids(await received(self._subscription, 1))
        return self.got

    async def left(self) -> list[str]:
        """What is in the outbox when that which was taken is removed."""
        self._runtime.jump(TIDY_AFTER_S)
        await self._relay.tidy()
        async with self.storage.reading() as reader:
            return ids(await self.storage.outbox.unsent(reader, self._runtime.now(), 100))

    async def sweep(self) -> None:
        self._runtime.jump(SWEEP_AFTER_S)
        await self._relay.tidy()


@pytest.fixture
async def post(mock: MockKafka, tmp_path: Path) -> AsyncIterator[Post]:
    heard = Heard()
    async with Kafka(mock.settings(), heard.signals) as kafka:
        post = Post(kafka, heard, tmp_path)
        await post.storage.migrate()
        await post._relay.tidy()
        yield post
        await post.storage.close()


async def refused_row_is_not_overtaken(post: Post, mock: MockKafka) -> None:
    """Until it is sent again."""
    mock.answer(PRODUCE, KafkaError.INVALID_RECORD)
    await post.put("a1")
    await post.refused()
    await post.put("a2")
    await post.put("b1")
    await post.has("b1")
    await post.sweep()
    got = await post.has("a1", "a2", "b1")
    assert [each for each in got if each != "b1"] == ["a1", "a2"], f"overtaken by its key: {got}"


async def test_refused_row_is_not_overtaken_by_its_key(post: Post, mock: MockKafka) -> None:
    await refused_row_is_not_overtaken(post, mock)


async def test_scenario_notices_that_its_rule_is_gone(
    post: Post, mock: MockKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lanes, "passes", lambda self, sent: True)
    with pytest.raises(AssertionError, match="overtaken by its key"):
        await refused_row_is_not_overtaken(post, mock)


async def test_row_that_is_refused_again_and_again_holds_up_its_key_and_nobody_else(
    post: Post, mock: MockKafka
) -> None:
    mock.answer(PRODUCE, *[KafkaError.INVALID_RECORD] * 2)
    await post.put("a1")
    await post.refused(1)
    await post.put("a2")
    await post.sweep()
    await post.refused(2)
    await post.put("a3", "b1")
    assert await post.has("b1") == ["b1"]
    assert await post.left() == ["a1", "a2", "a3"]
    await post.sweep()
    assert await post.has("a3") == ["b1", "a1", "a2", "a3"]
    await post.put("a4")
    assert await post.has("a4") == ["b1", "a1", "a2", "a3", "a4"]


async def test_message_that_no_broker_takes_holds_up_what_its_transaction_sends_after_it(post: Post) -> None:
    huge = msgspec.structs.replace(envelope("a1", key="a"), payload=b"x" * 2_000_000)
    await post.put(huge, "a2", "b1")
    assert await post.has("b1") == ["b1"]
    await post.put("a3")
    await post.put("b2")
    assert await post.has("b2") == ["b1", "b2"]
    await post.sweep()
    assert [each["message"] for each in post.heard.of("message.unsent")] == ["a1", "a1"]
    assert await post.left() == ["a1", "a2", "a3"]


def numbered(number: int) -> Sent:
    return Sent(number, envelope(f"a{number}", key="a"), ignore)


def first_of(lanes: Lanes) -> list[int]:
    """Who of nine may go."""
    return [number for number in range(1, 10) if lanes.passes(numbered(number))]


def test_lane_goes_on_when_another_process_has_sent_its_first() -> None:
    """The sweep brings what is left, in order, and without it."""
    lanes = Lanes()
    for number in (1, 2, 3):
        lanes.keep(numbered(number))
    lanes.come_again(numbered(3), under_way=[numbered(1).id])
    assert first_of(lanes) == [1]
    lanes.come_again(numbered(2), under_way=[])
    assert first_of(lanes) == [2]
    lanes.come_again(numbered(3), under_way=[numbered(2).id])
    assert lanes.leave(numbered(2)) == numbered(3)
    assert lanes.leave(numbered(3)) is None
    assert first_of(lanes) == [*range(1, 10)]


def test_refusal_that_is_heard_of_late_keeps_its_place() -> None:
    lanes = Lanes()
    for number in (1, 4, 2, 3):
        lanes.keep(numbered(number))
    order = [1]
    while (behind := lanes.leave(numbered(order[-1]))) is not None:
        order.append(behind.number)
    assert order == [1, 2, 3, 4]
