"""Transports that keep messages in memory only: a message counts as taken when its consumer has made it durable."""

from amends.conformance.fixtures import envelope
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

    async def test_unacknowledged_messages_are_never_taken(self, transport: Transport) -> None:
        subscription = transport.subscribe("hotel")
        taken: list[MessageId] = []
        transport.send([envelope("m1")], taken.extend)
        await subscription.receive(1)
        subscription.close()
        assert taken == []
