"""Records that are no envelopes are parked with their bytes and their position, and hold nobody up."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from amends import Done, Participant, Tx
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.kafka import Kafka, KafkaSettings
from amends.adapters.kafka.records import KAFKA
from amends.adapters.sqlite import SqliteStorage
from amends.conformance.fixtures import envelope, event
from amends.conformance.transport_suite import received
from amends.pages import Parked
from amends.service import Service
from tests.amends.adapters import kafka_clusters
from tests.amends.adapters.kafka_listening import Heard
from tests.amends.trips import EFFECTS, BookHotel, insert_effect

mock = kafka_clusters.mock
settings = kafka_clusters.settings

Headers = list[tuple[str, str | bytes | None]]
GOOD: Headers = [*KAFKA.headers(event("good"))]
NAMELESS = [header for header in GOOD if header[0] != "ce_sender"]
BAD: dict[str, tuple[bytes | None, bytes | None, Headers]] = {
    "no headers, not JSON": (b"k", b"\xff\xfe{", []),
    "nothing at all": (None, None, []),
    "key that is no text": (b"\xff", b"{}", GOOD),
    "header that is no text": (b"k", b"{}", [*GOOD, ("ce_saga", b"\xff")]),
    "forged kind": (b"k", b"{}", [*GOOD, ("ce_kind", "order")]),
    "forged epoch": (b"k", b"{}", [*GOOD, ("ce_epoch", "1e9")]),
    "null character in the key": (b"k\0", b"{}", GOOD),
    "null character in a header": (b"k", b"{}", [*GOOD, ("ce_saga", b"\0")]),
    "command without a sender": (b"k", b"{}", [*NAMELESS, ("ce_kind", "command")]),
    "another content": (b"k", b"<order/>", [*GOOD, ("content-type", "text/xml")]),
    "huge": (b"k", b"x" * 900_000, []),
}


def produce(settings: KafkaSettings, key: bytes | None, value: bytes | None, headers: Headers, partition: int) -> None:
    """Past the transport, as somebody else would."""
    producer = Producer(dict(settings.producer()))
    producer.produce(settings.topic("hotel"), value, key, partition, headers=headers)
    assert producer.flush(20) == 0


def hotel() -> Participant:
    participant = Participant("hotel")

    @participant.handles(BookHotel)
    async def book(tx: Tx, command: BookHotel) -> Done:
        await tx.run(insert_effect, {"what": "BookHotel", "trip": command.trip})
        return Done()

    return participant


class Hotel:
    """A service over Kafka, with a database."""

    def __init__(self, kafka: Kafka, path: Path, heard: Heard) -> None:
        self.heard = heard
        self.storage = SqliteStorage(path, EFFECTS)
        self.service = Service(self.storage, kafka, AsyncioRuntime(), self.heard.signals, participant=hotel())

    async def start(self) -> "Hotel":
        await self.storage.migrate()
        await self.service.start()
        return self

    async def parked(self) -> list[Parked]:
        async with self.storage.reading() as reader:
            return await self.storage.parking.all(reader, 100)

    async def has_parked(self, count: int) -> list[Parked]:
        await self.heard.until(lambda: len(self.heard.of("message.parked")) == count)
        return await self.parked()


def book(id: str, key: str = "k") -> Any:
    return msgspec.structs.replace(
        envelope(id, key=key), type="hotel.BookHotel", payload=b'{"trip":"t1"}', operation="action", deadline=None
    )


@pytest.fixture
def addresses() -> list[str]:
    return ["hotel", "trips.coordinator"]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def kafka(settings: KafkaSettings, heard: Heard) -> AsyncIterator[Kafka]:
    async with Kafka(settings, heard.signals) as kafka:
        yield kafka


@pytest.mark.parametrize("what", BAD)
async def test_undecodable_record_is_parked_and_the_next_one_is_read(
    what: str, settings: KafkaSettings, kafka: Kafka, heard: Heard, tmp_path: Path
) -> None:
    key, value, headers = BAD[what]
    produce(settings, key, value, headers, partition=kafka.shard_of("hotel", "k"))
    kafka.send([book("m1")], lambda _: None)
    served = await Hotel(kafka, tmp_path / "hotel.db", heard).start()
    [row] = await served.has_parked(1)
    await heard.first("participant.hop")
    topic = settings.topic("hotel")
    position = f"{topic}/{kafka.shard_of('hotel', 'k')}/0"
    assert row.error == f"UnknownMessage: hotel has no handler for undecodable (message {position})"
    told = msgspec.json.decode(row.envelope.payload)
    assert (told["topic"], told["partition"], told["offset"]) == (topic, kafka.shard_of("hotel", "k"), 0)
    assert (bytes_of(told["key"]), bytes_of(told["value"])) == (key, value)
    assert [(name, bytes_of(text)) for name, text in told["headers"]] == [
        (name, each.encode() if isinstance(each, str) else each) for name, each in headers
    ]
    assert heard.of("message.undecodable") == [{"message": position, "address": "hotel", "error": told["error"]}]
    await served.service.stop()


async def test_payload_that_is_not_json_is_parked_as_the_message_that_it_is(
    kafka: Kafka, heard: Heard, tmp_path: Path
) -> None:
    kafka.send([msgspec.structs.replace(book("bad"), payload=b"\xff{"), book("good", key="other")], lambda _: None)
    served = await Hotel(kafka, tmp_path / "hotel.db", heard).start()
    [row] = await served.has_parked(1)
    assert (row.envelope.id, row.envelope.payload) == ("bad", b"\xff{")
    assert row.error.startswith("DecodeError")
    await served.service.stop()


async def test_record_that_is_read_again_is_parked_once(settings: KafkaSettings, heard: Heard, tmp_path: Path) -> None:
    produce(settings, b"k", b"?", [], partition=0)
    async with Kafka(settings) as kafka:
        subscription = kafka.subscribe("hotel")
        [first] = await subscription.receive(10)
    async with Kafka(settings) as kafka:
        served = await Hotel(kafka, tmp_path / "hotel.db", heard).start()
        assert [row.envelope for row in await served.has_parked(1)] == [first]
        await served.service.stop()


async def test_headers_of_others_are_passed_over(settings: KafkaSettings, kafka: Kafka) -> None:
    """As Debezium adds them, and as it leaves columns empty."""
    sent = book("m1")
    foreign: Headers = [("id", b"\xff"), ("ce_step", None), *KAFKA.headers(sent), ("__debezium.context", "x")]
    produce(settings, sent.key.encode(), sent.payload, foreign, partition=0)
    assert await received(kafka.subscribe("hotel"), 1) == [sent]


def bytes_of(legible: dict[str, str] | None) -> bytes | None:
    if legible is None:
        return None
    return legible["text"].encode() if "text" in legible else base64.b64decode(legible["base64"])
