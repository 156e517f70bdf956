"""Transports that keep messages in memory only: a message counts as taken when its consumer has made it durable."""

from amends.conformance.fixtures import envelope, event
from amends.messages import MessageId
from amends.ports import Transport


class TestInMemoryTransport:
    async def test_message_is_taken_only_when_it_is_acknowledged(self, transport: Transport) -> None:
        """Before that a crash would lose it: its outbox row has to stay."""
        subscription = transport.subscribe("hotel")
        taken: list[MessageId] = []
        transport.send([envelope("m1"), envelope("m2")], taken.extend)
        assert taken == []
        batch = await subscription.receive(1)
        assert taken == []
        await subscription.acknowledge(batch)
        assert taken == ["m1"]

    async def test_event_is_taken_when_every_group_has_acknowledged_it(self, transport: Transport) -> None:
        readers = [transport.subscribe("hotel.events", group) for group in ("kitchen", "laundry")]
        taken: list[MessageId] = []
        transport.send([event("m1"), event("m2")], taken.extend)
        await readers[0].acknowledge(await readers[0].receive(10))
        assert taken == []
        await readers[1].acknowledge(await readers[1].receive(1))
        assert taken == ["m1"]

    async def test_event_that_nobody_reads_is_taken_at_once(self, transport: Transport) -> None:
        taken: list[MessageId] = []
        transport.send([event("m1")], taken.extend)
        assert taken == ["m1"]

    async def test_unacknowledged_messages_are_never_taken(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        taken: list[MessageId] = []
        transport.send([envelope("m1")], taken.extend)
        await subscription.receive(1)
        subscription.close()
        assert taken == []
