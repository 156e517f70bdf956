"""Transports: at least once, in order per key, without lingering."""

import asyncio
from collections.abc import Callable, Sequence

from amends.conformance.fixtures import envelope, event
from amends.messages import Envelope, MessageId
from amends.ports import Subscription, Transport

PATIENCE_S = 60.0


async def received(subscription: Subscription, count: int, most: int = 100) -> list[Envelope]:
    """Receives and acknowledges until there are `count`."""
    got: list[Envelope] = []
    while len(got) < count:
        batch = await asyncio.wait_for(subscription.receive(most), PATIENCE_S)
        assert len(batch) <= most
        got += batch
        await subscription.acknowledge(batch)
    return got


def ids(envelopes: Sequence[Envelope]) -> list[str]:
    return [each.id for each in envelopes]


def ignore(_: Sequence[MessageId]) -> None: ...


class Owner:
    """A `ShardOwner` that remembers."""

    def __init__(self) -> None:
        self.shards: list[int] = []
        self.told = asyncio.Event()

    async def gained(self, shards: Sequence[int]) -> None:
        self.shards += shards
        self.told.set()

    async def lost(self, shards: Sequence[int]) -> None:
        self.shards = [each for each in self.shards if each not in shards]


class TestTransport:
    async def test_reader_is_told_of_its_shards_and_messages_belong_to_one(self, transport: Transport) -> None:
        owner, subscription = Owner(), transport.subscribe("hotel")
        await subscription.open(owner)
        transport.send([envelope(f"m{number}", key=f"k{number}") for number in range(20)], ignore)
        got = await received(subscription, 20)
        assert owner.told.is_set()
        assert {transport.shard_of("hotel", each.key) for each in got} <= set(owner.shards)

    async def test_message_arrives_as_it_was_sent(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        transport.send([envelope("m1")], ignore)
        assert await received(subscription, 1) == [envelope("m1")]

    async def test_messages_of_a_key_arrive_in_the_order_in_which_they_were_sent(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        sent = [envelope(f"{number:03}", key=f"k{number % 7}") for number in range(210)]
        for first in range(0, 210, 30):
            transport.send(sent[first : first + 30], ignore)
        got = await received(subscription, 210, most=16)
        for key in {each.key for each in sent}:
            assert ids([each for each in got if each.key == key]) == ids([each for each in sent if each.key == key])

    async def test_receive_gives_at_most_what_was_asked_for(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        transport.send([envelope(f"m{number}") for number in range(10)], ignore)
        batch = await asyncio.wait_for(subscription.receive(3), PATIENCE_S)
        assert 1 <= len(batch) <= 3

    async def test_receive_does_not_wait_for_more_than_has_arrived(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        transport.send([envelope("m1")], ignore)
        assert ids(await asyncio.wait_for(subscription.receive(100), PATIENCE_S)) == ["m1"]

    async def test_receive_waits_for_the_first(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        waiting = asyncio.get_running_loop().create_task(_receive(subscription))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        transport.send([envelope("m1")], ignore)
        assert ids(await asyncio.wait_for(waiting, PATIENCE_S)) == ["m1"]

    async def test_message_that_was_sent_before_anybody_listened_waits(self, transport: Transport) -> None:
        transport.send([envelope("m1")], ignore)
        assert ids(await received(transport.subscribe("hotel"), 1)) == ["m1"]

    async def test_addresses_are_independent(self, transport: Transport) -> None:
        addresses = [f"address-{number}" for number in range(5)]
        subscriptions = {address: transport.subscribe(address) for address in addresses}
        transport.send([envelope(f"to {address}", to=address) for address in addresses], ignore)
        for address in reversed(addresses):
            assert ids(await received(subscriptions[address], 1)) == [f"to {address}"]

    async def test_every_group_gets_every_event(self, transport: Transport) -> None:
        subscriptions = [transport.subscribe("hotel.events", group) for group in ("kitchen", "laundry")]
        for subscription in subscriptions:
            await subscription.open(Owner())
        taken: list[MessageId] = []
        sent = [event(f"m{number}") for number in range(12)]
        transport.send(sent[:5], taken.extend)
        transport.send(sent[5:], taken.extend)
        for subscription in subscriptions:
            assert ids(await received(subscription, 12)) == ids(sent)
        await _until(lambda: len(taken) >= 12)
        assert sorted(taken) == sorted(ids(sent))

    async def test_every_message_is_taken_in_the_end_once(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        taken: list[MessageId] = []
        sent = [envelope(f"m{number}") for number in range(20)]
        transport.send(sent, taken.extend)
        await received(subscription, 20, most=7)
        await _until(lambda: len(taken) >= 20)
        assert sorted(taken) == sorted(ids(sent))

    async def test_each_sender_hears_of_its_own_messages(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        mine: list[MessageId] = []
        yours: list[MessageId] = []
        transport.send([envelope("mine")], mine.extend)
        transport.send([envelope("yours")], yours.extend)
        await received(subscription, 2)
        await _until(lambda: bool(mine and yours))
        assert (mine, yours) == (["mine"], ["yours"])

    async def test_close_wakes_who_waits_with_nothing(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        waiting = asyncio.get_running_loop().create_task(_receive(subscription))
        await asyncio.sleep(0)
        subscription.close()
        assert await asyncio.wait_for(waiting, PATIENCE_S) == []

    async def test_closed_subscription_gives_nothing_more(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        subscription.close()
        transport.send([envelope("m1")], ignore)
        assert await asyncio.wait_for(subscription.receive(10), PATIENCE_S) == []

    async def test_send_returns_at_once(self, transport: Transport) -> None:
        """Nothing is awaited in it: a commit's thread of control goes on."""
        transport.send([], ignore)
        transport.send([envelope(f"m{number}", to="nobody listens") for number in range(1_000)], ignore)


async def _receive(subscription: Subscription) -> list[Envelope]:
    return list(await subscription.receive(10))


async def _until(reached: Callable[[], bool]) -> None:
    """A broker says in its own time what it has taken."""
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not reached():
        assert loop.time() < end, "not taken in time"
        await asyncio.sleep(0)
