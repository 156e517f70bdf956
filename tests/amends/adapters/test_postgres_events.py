"""The outbox that a change data capture reads: a row a message, with all that the message says beside its payload."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from amends.adapters.cloudevents import EXTENSIONS, Binding
from amends.adapters.postgres import PLACEMENT, PostgresStorage, Pruning
from amends.adapters.postgres.outbox_events import HEADERS
from amends.conformance.fixtures import envelope
from amends.messages import Envelope, MessageId
from amends.pages import Backlog
from amends.testing.runtime import VirtualRuntime
from tests.amends.adapters import on_postgres
from tests.amends.adapters.on_postgres import NOW

pytestmark = pytest.mark.servers

dsn = on_postgres.dsn
IDS = [MessageId(f"01890000-0000-7000-8000-{number:012}") for number in range(10)]
FULL = envelope(IDS[0], key="Zoë")
PLAIN = Envelope(id=IDS[1], kind=FULL.kind, type="T", to="a", key="k", at=NOW + 0.1, payload=b"{}")
KAFKA = Binding("ce_")


@pytest.fixture
async def storage(dsn: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(dsn, outbox="events")
    await storage.migrate()
    yield storage
    await storage.close()


async def put(storage: PostgresStorage, envelopes: Sequence[Envelope], now: float = NOW) -> None:
    async with storage.transaction(now) as tx:
        await storage.outbox.insert(tx, envelopes)


async def since(storage: PostgresStorage, at: float, limit: int = 100, after: MessageId = IDS[0]) -> list[Envelope]:
    async with storage.reading() as reader:
        return await storage.events.since(reader, at, limit, *([] if after == IDS[0] else [after]))


async def rows(dsn: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch("select * from outbox_events order by id")
    finally:
        await connection.close()


async def test_row_holds_what_the_event_router_needs(dsn: str, storage: PostgresStorage) -> None:
    await put(storage, [FULL])
    [row] = await rows(dsn)
    told = (str(row["id"]), row["aggregatetype"], row["aggregateid"], row["type"], row["payload"].encode())
    assert told == (FULL.id, FULL.to, FULL.key, FULL.type, FULL.payload)


async def test_columns_make_the_headers_that_the_relay_would_send(dsn: str, storage: PostgresStorage) -> None:
    await put(storage, [FULL, PLAIN])
    placed = dict(part.split(":header:") for part in PLACEMENT.split(","))
    for row, sent in zip(await rows(dsn), (FULL, PLAIN), strict=True):
        headers = {header: str(row[column]) for column, header in placed.items() if row[column] != ""}
        assert headers == dict(KAFKA.headers(sent))


async def test_every_field_of_an_envelope_has_its_column() -> None:
    assert {each.field for each in EXTENSIONS} <= HEADERS.keys()
    assert set(HEADERS.values()) | {"ce_id", "ce_type", "ce_subject"} == {
        *dict(KAFKA.headers(FULL)),
        *KAFKA.read,
    }


async def test_payload_keeps_its_bytes(dsn: str, storage: PostgresStorage) -> None:
    payloads = ['{ "b": 1,  "a": "Zoë \\u0000 \\ud83d\\ude00 😀" }'.encode(), b"[1.0, 1e5, -0]", b'""']
    sent = [msg(number, payload) for number, payload in enumerate(payloads)]
    await put(storage, sent)
    assert [each.payload for each in await since(storage, NOW)] == payloads


def msg(number: int, payload: bytes = b"{}") -> Envelope:
    return Envelope(id=IDS[number], kind=FULL.kind, type="T", to="a", key="k", at=NOW, payload=payload)


async def test_messages_can_be_read_again_from_a_time_on(storage: PostgresStorage) -> None:
    for number in range(6):
        await put(storage, [msg(number)], now=NOW + number)
    assert await since(storage, NOW + 2) == [msg(number) for number in (2, 3, 4, 5)]
    assert await since(storage, NOW + 2, limit=2) == [msg(2), msg(3)]
    assert await since(storage, NOW + 2, limit=2, after=IDS[3]) == [msg(4), msg(5)]


async def test_message_comes_back_as_it_was_put_in(storage: PostgresStorage) -> None:
    await put(storage, [FULL, PLAIN])
    assert await since(storage, NOW) == [FULL, PLAIN]


async def test_there_is_nothing_to_send_here(storage: PostgresStorage) -> None:
    await put(storage, [FULL])
    async with storage.transaction(NOW + 60) as tx:
        assert await storage.outbox.claim(tx, NOW + 60, 100) == []
        assert await storage.outbox.unsent(tx, NOW + 60, 100) == []
        assert await storage.outbox.backlog(tx) == Backlog(0, None)
        await storage.outbox.remove(tx, [FULL.id])
    assert await since(storage, NOW) == [FULL]


async def test_rows_are_pruned_when_they_are_old(storage: PostgresStorage) -> None:
    runtime = VirtualRuntime(now=NOW)
    pruning = Pruning(storage, storage.events, runtime.now, retention_s=100.0)
    for number in range(4):
        await put(storage, [msg(number)], now=NOW + 50 * number)
    assert await pruning() == 0
    runtime.jump(151.0)
    assert await pruning() == 2
    assert [each.id for each in await since(storage, 0.0)] == IDS[2:4]
    runtime.jump(50.0)
    assert await pruning() == 0, "not every tick looks"
    runtime.jump(10.0)
    assert await pruning() == 1
