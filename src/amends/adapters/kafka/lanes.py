"""Keys of which the broker has refused a message: it, and what waits behind it, in the order in which they were sent.

refused ─▶ first of its lane ──comes again──▶ under way ──delivered──▶ the next one goes
sent meanwhile ─▶ behind it          ▲             │
                                     └───refused───┘
"""

from collections.abc import Container
from typing import NamedTuple

from amends.messages import Envelope, MessageId
from amends.ports import Taken


class Sent(NamedTuple):
    """A message, whom to tell that it is taken, and the how manyth it is."""

    number: int
    envelope: Envelope
    taken: Taken

    @property
    def id(self) -> MessageId:
        return self.envelope.id

    @property
    def lane(self) -> tuple[str, str]:
        return self.envelope.to, self.envelope.key


class Lanes:
    """Nothing is here as long as nothing is refused."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, str], dict[MessageId, Sent]] = {}

    def passes(self, sent: Sent) -> bool:
        """Nothing of its key that was refused is before it."""
        lane = self._lanes.get(sent.lane)
        return lane is None or next(iter(lane)) == sent.id

    def keep(self, sent: Sent) -> None:
        """It was refused, or has to wait for what was. Of several under way the first may be heard of last."""
        lane = self._lanes.setdefault(sent.lane, {})
        last = next(reversed(lane.values()), sent)
        lane.setdefault(sent.id, sent)
        if last.number > sent.number:
            self._lanes[sent.lane] = dict(sorted(lane.items(), key=lambda each: each[1].number))

    def come_again(self, sent: Sent, under_way: Container[MessageId]) -> None:
        """Whoever sends again what was left, does so in order: what was before it and does not come is left no more."""
        lane = self._lanes.get(sent.lane, {})
        if sent.id in lane:
            while (first := next(iter(lane))) != sent.id and first not in under_way:
                del lane[first]

    def leave(self, sent: Sent) -> Sent | None:
        """It was delivered; returns what may go now."""
        lane = self._lanes.get(sent.lane, {})
        was_first = next(iter(lane), None) == sent.id
        lane.pop(sent.id, None)
        if not lane:
            self._lanes.pop(sent.lane, None)
        return next(iter(lane.values()), None) if was_first else None
