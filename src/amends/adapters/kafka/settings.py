"""What a program says about its Kafka, and what the clients are told of it."""

from collections.abc import Mapping

import msgspec

from amends.rest import SHARING, Rest

Property = str | int | float | bool

# What `properties` may change. Topics that are made later, and brokers that come back, are found within a second.
_CLIENT: dict[str, Property] = {
    "reconnect.backoff.ms": 50,
    "reconnect.backoff.max.ms": 1_000,
    "topic.metadata.refresh.interval.ms": 1_000,
}
# A fetch that waits at the broker holds up partitions that come to the reader meanwhile.
_CONSUMER: dict[str, Property] = {
    "fetch.wait.max.ms": 100,
    "fetch.queue.backoff.ms": 10,
    "queued.min.messages": 10_000,
    "queued.max.messages.kbytes": 16_384,
}
# A broker adds to a message what it needs around a batch; its own limit is by default as much above a million.
_AROUND = 48_576


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`bootstrap` is `host:port`, several with commas; `prefix` goes before the name of every topic and group.

    `linger_ms`: how long a message waits for company. `session_s`: after so long a reader that died or froze is
    replaced; not less than the broker's `group.min.session.timeout.ms`. `drain_s`: how long a partition that moves
    waits for its last batch, and for its owner. `close_s`: how long closing waits for the broker. `largest`: bytes of
    the largest message, headers included. `rest`: a reader's, after a batch that was not full. `properties` are given
    to every client: security, say (https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).
    """

    bootstrap: str
    prefix: str = ""
    linger_ms: float = 0.0
    session_s: float = 6.0
    drain_s: float = 10.0
    close_s: float = 10.0
    largest: int = 1_000_000
    rest: Rest = SHARING
    properties: Mapping[str, Property] = {}

    def topic(self, address: str) -> str:
        return f"{self.prefix}{address}"

    def group_id(self, address: str, group: str) -> str:
        """The readers that share an address: those of its own, or those of a group that listens to its events."""
        return f"{self.prefix}{group}.{address}" if group else f"{self.prefix}{address}"

    @property
    def largest_batch(self) -> int:
        """Bytes, for a topic's `max.message.bytes`."""
        return self.largest + _AROUND

    def client(self) -> dict[str, Property]:
        """For every client: what happens is told by signals, not on stderr."""
        return {**_CLIENT, **self.properties, "bootstrap.servers": self.bootstrap, "log_level": 0}

    def producer(self) -> dict[str, Property]:
        """Nothing is given up while the producer lives, so nothing of a key is overtaken."""
        return self.client() | {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "message.timeout.ms": 0,
            "message.max.bytes": self.largest,
            "linger.ms": self.linger_ms,
        }

    def consumer(self, group_id: str) -> dict[str, Property]:
        """Commits only what it is told to; bounded in what it fetches ahead."""
        return {**_CONSUMER, **self.client()} | {
            "group.id": group_id,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": round(self.session_s * 1000),
            "heartbeat.interval.ms": round(min(self.session_s / 4, 0.5) * 1000),
            "max.partition.fetch.bytes": self.largest_batch,
        }
