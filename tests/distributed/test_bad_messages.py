"""What nobody should have sent, in every partition of every topic: set aside and told, or dropped; orders go on."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import NamedTuple

import pytest
import pytest_asyncio
from confluent_kafka import Consumer, Producer, TopicPartition

from amends.adapters.kafka.records import KAFKA
from amends.messages import Envelope, Kind, MessageId
from shop.desks import COORDINATING
from shop.payments.gateway_wire import APPROVED
from shop.serving import ADDRESSES, HEARD
from tests.distributed.metrics import told
from tests.distributed.rest import at_rest, troubles
from tests.distributed.running import RunningShop, eventually
from tests.system.people import Operator, buyers, order_of
from tests.system.shop_process import run

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

SLOT = "2034-09-05T08:00:00Z"
COORDINATORS = [f"{name}.coordinator" for name in COORDINATING]
ROOM_OF = {topic: topic.partition(".")[0] for topic in ADDRESSES} | dict.fromkeys(HEARD, "notifications")
TYPE = {
    "orders": "orders.ApproveOrder",
    "billing": "billing.HoldMoney",
    "payments": "payments.AuthorizeCard",
    "warehouse": "warehouse.ReserveStock",
    "delivery": "delivery.BookCourier",
    "notifications": "notifications.Notify",
    "billing.events": "billing.events.MoneyPaidIn",
    "orders.events": "orders.events.OrderCompleted",
} | dict.fromkeys(COORDINATORS, "MoneyHeld")
LARGE = 900_000


class Record(NamedTuple):
    """One of a topic, as it is there."""

    key: bytes | None
    headers: list[tuple[str, str | bytes | None]]
    value: bytes | None


class Placed(NamedTuple):
    """A record, and its place."""

    topic: str
    partition: int
    record: Record


Made = Callable[[str, str], Record]


def envelope(topic: str, name: str, payload: bytes, **more: object) -> Record:
    """Well-formed, but for what `more` says; in a saga that nobody knows."""
    kind = Kind.REPLY if topic in COORDINATORS else Kind.EVENT if topic in HEARD else Kind.COMMAND
    known = {
        "type": TYPE[topic],
        "key": name,
        "saga": f"ghost {name}",
        "step": "" if kind is Kind.EVENT else "haunt",
        "sender": "ghost",
    }
    made = Envelope(
        id=MessageId(name),
        kind=kind,
        to=topic,
        at=1_700_000_000.0,
        payload=payload,
        **(known | more),  # type: ignore[arg-type]
    )
    return Record(made.key.encode(), [*KAFKA.headers(made)], payload)


def with_header(record: Record, name: str, value: bytes) -> Record:
    return record._replace(headers=[*((key, text) for key, text in record.headers if key != name), (name, value)])


UNREADABLE: dict[str, Made] = {
    "no headers": lambda topic, name: Record(name.encode(), [], b'{"order_id":"ghost"}'),
    "nothing at all": lambda topic, name: Record(None, [], None),
    "no text": lambda topic, name: with_header(envelope(topic, name, b"{}"), "ce_saga", b"\xff\xfe"),
    "an epoch beyond all": lambda topic, name: with_header(envelope(topic, name, b"{}"), "ce_epoch", b"9" * 30),
    "an epoch that is none": lambda topic, name: with_header(envelope(topic, name, b"{}"), "ce_epoch", b"new"),
    "null characters": lambda topic, name: with_header(envelope(topic, name, b"{}"), "ce_id", f"{name}\0".encode()),
    "a null character in the key": lambda topic, name: envelope(topic, f"{name}\0", b"{}"),
    "huge": lambda topic, name: Record(name.encode(), [], b"x" * LARGE),
}
UNFIT: dict[str, Made] = {
    "not JSON": lambda topic, name: envelope(topic, name, b'{"order_id":'),
    "not UTF-8": lambda topic, name: envelope(topic, name, b'{"order_id":"\xff"}'),
    "another body": lambda topic, name: envelope(topic, name, b'[{"order_id":5}]'),
    "another type": lambda topic, name: envelope(topic, name, b"{}", type="Nonsense"),
    "large": lambda topic, name: envelope(topic, name, b'["' + b"x" * LARGE + b'"]'),
}


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def producer(shop: RunningShop) -> AsyncIterator[Producer]:
    yield Producer({"bootstrap.servers": shop.servers.kafka.bootstrap, "message.max.bytes": 1_000_000, "log_level": 0})


async def parked(shop: RunningShop) -> Counter[str]:
    """How many messages are parked, by the topic that they were sent to."""
    select = "select convert_from(envelope, 'UTF8')::text from parked where retry_at is null and attempts > 0"
    found: Counter[str] = Counter()
    for room in sorted({*ROOM_OF.values()}):
        for (text,) in await shop.rows(room, select):
            found[json.loads(text)[3]] += 1
    return found


async def are_parked(shop: RunningShop, wanted: Counter[str]) -> None:
    """Waits for them; they are no news afterwards."""
    found: Counter[str] = Counter()

    async def is_so() -> bool:
        nonlocal found
        found = await parked(shop)
        return found >= wanted

    try:
        await eventually(is_so)
    except AssertionError as error:
        error.add_note(f"missing: {wanted - found}")
        raise
    assert found == wanted
    shop.known |= await troubles(shop)


async def orders_go_on(shop: RunningShop, operator: Operator, name: str) -> None:
    """Some in every partition, by wallet and by card."""
    await operator.put_product("vase", 100, 10**6)
    await operator.put_slot(SLOT, 10**6)
    [buyer] = await buyers(shop, 1, 10**6, name)
    orders = [order_of("vase", SLOT, 1, pay_with) for pay_with in ("wallet", f"card:{APPROVED}")] * 20
    placing = [buyer.ask("POST", "/api/orders", each, key=str(n), prefer="wait=30") for n, each in enumerate(orders)]
    answers = await asyncio.gather(*placing)
    assert Counter((each.status, each.json()["status"]) for each in answers) == {(201, "approved"): len(orders)}
    await at_rest(shop)
    await operator.check()


async def signals(shop: RunningShop) -> Counter[str]:
    """Of all rooms together."""
    rooms = [each for each in shop.services.values() if each.room in ROOM_OF.values()]
    return sum([await told(each) for each in rooms], Counter[str]())


async def test_everything_that_was_ever_sent_comes_again_and_changes_nothing(
    shop: RunningShop, operator: Operator, producer: Producer
) -> None:
    """Here, before anything that is parked once a place."""
    await orders_go_on(shop, operator, "once")
    figures = await operator.check()
    told_before = await shop.value("notifications", "select count(*) from notifications")
    await send(producer, await asyncio.to_thread(everything, shop))
    await at_rest(shop)
    assert await operator.check() == figures
    assert await shop.value("notifications", "select count(*) from notifications") == told_before
    await orders_go_on(shop, operator, "again")


@pytest.mark.parametrize("what", UNREADABLE)
async def test_record_that_cannot_be_read_is_parked_and_told(shop: RunningShop, producer: Producer, what: str) -> None:
    before, heard = await parked(shop), await signals(shop)
    await send(producer, everywhere(shop, {topic: UNREADABLE[what](topic, f"{topic} {what}") for topic in ROOM_OF}))
    wanted = before + Counter(dict.fromkeys(ROOM_OF, shop.servers.options.partitions))
    await are_parked(shop, wanted)
    fresh = await signals(shop) - heard
    assert fresh["message.parked"] == fresh["message.undecodable"] == wanted.total() - before.total()


@pytest.mark.parametrize("what", UNFIT)
async def test_message_that_nobody_can_handle_is_parked_once(shop: RunningShop, producer: Producer, what: str) -> None:
    """Copies of it, in other partitions, are the same message. To a coordinator it is nobody's answer."""
    before = await parked(shop)
    await send(producer, everywhere(shop, {topic: UNFIT[what](topic, f"{topic} {what}") for topic in ROOM_OF}))
    rooms = [topic for topic in ROOM_OF if topic not in COORDINATORS]
    await are_parked(shop, before + Counter(dict.fromkeys(rooms, 1)))


async def test_orders_go_on_behind_all_that(shop: RunningShop, operator: Operator) -> None:
    before = await parked(shop)
    await orders_go_on(shop, operator, "behind")
    assert await parked(shop) == before


async def test_command_of_a_coordinator_that_was_replaced_is_dropped(
    shop: RunningShop, operator: Operator, producer: Producer
) -> None:
    """Every room has heard of newer ones by now."""
    before, heard = await parked(shop), await signals(shop)
    rooms = [topic for topic in ADDRESSES if topic not in COORDINATORS]
    stale = {room: await stale_command(shop, room) for room in rooms}
    await send(producer, everywhere(shop, stale))

    async def are_dropped() -> bool:
        return (await signals(shop))["participant.fenced"] - heard["participant.fenced"] >= len(rooms)

    await eventually(are_dropped)
    await orders_go_on(shop, operator, "replaced")
    assert await parked(shop) == before


async def stale_command(shop: RunningShop, room: str) -> Record:
    """Of an epoch before the newest that the room has seen."""
    newest = "select coordinator, epoch from epochs where coordinator like 'orders.coordinator/%' limit 1"
    [(coordinator, epoch)] = await shop.rows(room, newest)
    sender, _, shard = coordinator.partition("/")
    return envelope(room, f"stale {room}", b"{}", sender=sender, shard=int(shard), epoch=epoch - 1)


async def test_parked_messages_are_listed_from_outside(shop: RunningShop) -> None:
    answer = await run("amends", "parked", "--json", "--dsn", shop.servers.dsn, "--app", "shop.app:app")
    assert answer.returncode == 0, answer.stderr
    listed = json.loads(answer.stdout)
    assert Counter(each["to"] for each in listed if each["retry_at"] is None) == await parked(shop)
    assert all(each["error"] for each in listed)


def everything(shop: RunningShop) -> Iterable[Placed]:
    """Every record of every topic, and where it is."""
    settings = {"bootstrap.servers": shop.servers.kafka.bootstrap, "group.id": "tests", "log_level": 0}
    consumer = Consumer(settings | {"enable.partition.eof": True})
    places = [TopicPartition(topic, each, 0) for topic in ROOM_OF for each in range(shop.servers.options.partitions)]
    consumer.assign(places)
    found: list[Placed] = []
    ends = 0
    while ends < len(places):
        [message] = consumer.consume(1, 30)
        if message.error():
            ends += 1
        else:
            record = Record(message.key(), [*(message.headers() or [])], message.value())
            found.append(Placed(message.topic() or "", message.partition() or 0, record))
    consumer.close()
    return found


def everywhere(shop: RunningShop, records: Mapping[str, Record]) -> Iterable[Placed]:
    """Each in every partition of its topic."""
    partitions = range(shop.servers.options.partitions)
    return [Placed(topic, partition, record) for topic, record in records.items() for partition in partitions]


async def send(producer: Producer, placed: Iterable[Placed]) -> None:
    for topic, partition, record in placed:
        producer.produce(topic, record.value, record.key, partition, headers=record.headers)
    assert await asyncio.to_thread(producer.flush, 30) == 0
