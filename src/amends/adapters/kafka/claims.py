"""The partitions that a reader has, what has arrived for each, and how far each is done.

    gained ─▶ waiting for its owner ─▶ open ─▶ leaving ─▶ gone
                     └──────────────────────────▲

Only an open claim gives messages; one that leaves drops those that were not given. All on the event loop.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from confluent_kafka import Message

Offsets = dict[int, int]
_AROUND = 1_000


class Stage(Enum):
    GAINED = "gained"
    OPEN = "open"
    LEAVING = "leaving"
    GONE = "gone"


class Claim:
    """One partition for as long as it is ours. `in_flight`: messages given and not acknowledged yet."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.stage = Stage.GAINED
        self.messages: deque[Message] = deque()
        self.in_flight = 0

    @property
    def is_held(self) -> bool:
        return self.stage in (Stage.GAINED, Stage.OPEN)


class Part(NamedTuple):
    """What a batch holds of one claim; `after` is the offset that follows."""

    claim: Claim
    size: int
    weight: int
    after: int


def weight(messages: Iterable[Message]) -> int:
    """About how many bytes of memory they take."""
    return sum(len(message) + _AROUND for message in messages)


class Claims:
    """Gives what has arrived, each partition in its turn."""

    def __init__(self) -> None:
        self.done_with = 0
        """The weight of all that has been put here and is acknowledged or dropped by now."""
        self._held: dict[int, Claim] = {}
        self._turn: deque[Claim] = deque()
        self._given: deque[list[Part]] = deque()

    @property
    def in_flight(self) -> bool:
        """A batch has been given that was not acknowledged yet."""
        return bool(self._given)

    def begin(self, shards: Iterable[int]) -> list[Claim]:
        claims = [Claim(shard) for shard in shards]
        self._held |= {claim.shard: claim for claim in claims}
        return claims

    def open(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            if claim.stage is Stage.GAINED:
                claim.stage = Stage.OPEN
                if claim.messages:
                    self._turn.append(claim)

    def put(self, messages: Iterable[Message]) -> None:
        """What comes for a partition that has gone is dropped: whoever has it now reads it."""
        for message in messages:
            claim = self._held.get(message.partition() or 0)
            if claim is None or not claim.is_held:
                self.done_with += weight([message])
                continue
            if claim.stage is Stage.OPEN and not claim.messages:
                self._turn.append(claim)
            claim.messages.append(message)

    def take(self, most: int) -> list[Message]:
        """What has arrived, at most so many."""
        batch: list[Message] = []
        parts: list[Part] = []
        while self._turn and len(batch) < most:
            claim = self._turn.popleft()
            part = [claim.messages.popleft() for _ in range(min(most - len(batch), len(claim.messages)))]
            if part:
                batch += part
                claim.in_flight += len(part)
                parts.append(Part(claim, len(part), weight(part), (part[-1].offset() or 0) + 1))
            if claim.messages:
                self._turn.append(claim)
        if parts:
            self._given.append(parts)
        return batch

    def acknowledge(self) -> Offsets:
        """The oldest batch that was given is done; returns how far that takes each partition that is still ours."""
        offsets: Offsets = {}
        for part in self._given.popleft():
            part.claim.in_flight -= part.size
            self.done_with += part.weight
            if part.claim.stage is not Stage.GONE:
                offsets[part.claim.shard] = part.after
        return offsets

    def leave(self, shards: Collection[int]) -> list[Claim]:
        """Nothing more is given of these."""
        leaving = [self._held[shard] for shard in shards if shard in self._held]
        for claim in leaving:
            claim.stage = Stage.LEAVING
            self.done_with += weight(claim.messages)
            claim.messages.clear()
        return leaving

    def end(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            claim.stage = Stage.GONE
            if self._held.get(claim.shard) is claim:
                del self._held[claim.shard]
