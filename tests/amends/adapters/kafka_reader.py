"""A process that reads `hotel` and does not acknowledge what it got: to be killed, or frozen.

    python -m tests.amends.adapters.kafka_reader BOOTSTRAP PREFIX

It prints a line for everything that happens to it. Its first batch it acknowledges too late: when its shards are gone.
"""

import asyncio
import sys
from collections.abc import Sequence

from amends.adapters.kafka import Kafka, KafkaSettings

SESSION_S = 2.0


class Telling:
    """A `ShardOwner` that prints."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def gained(self, shards: Sequence[int]) -> None:
        print("gained", *sorted(shards), flush=True)

    async def lost(self, shards: Sequence[int]) -> None:
        print("lost", *sorted(shards), flush=True)
        self.gone.set()


async def main(bootstrap: str, prefix: str) -> None:
    owner = Telling()
    async with Kafka(KafkaSettings(bootstrap=bootstrap, prefix=prefix, session_s=SESSION_S)) as kafka:
        subscription = kafka.subscribe("hotel")
        await subscription.open(owner)
        batch = await subscription.receive(10)
        print("received", *[each.id for each in batch], flush=True)
        await owner.gone.wait()
        await subscription.acknowledge(batch)
        print("acknowledged", flush=True)
        while batch := await subscription.receive(10):
            print("received", *[each.id for each in batch], flush=True)
            await subscription.acknowledge(batch)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
