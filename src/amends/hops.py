"""What a hop did, told in full once it is durable: for whoever counts or traces every message.

The objects told are those that the hop worked with, so telling costs nothing when nobody observes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from amends.messages import Envelope, SagaId
from amends.pages import Change, Instance
from amends.saga import Saga

Definitions = Mapping[tuple[str, str], Saga[Any]]


class Moved(NamedTuple):
    """One transaction of a coordinator; `began` is its time, in Unix seconds.

    `changes` by saga: one that has begun in it (`fresh`), or is only asked anew, is the same before and after.
    `definitions` by name and version.
    """

    service: str
    began: float
    definitions: Definitions
    changes: Mapping[SagaId, Change]
    commands: Sequence[Envelope]
    replies: Sequence[Envelope] = ()
    ended: Sequence[Instance] = ()
    fresh: bool = False


class Handled(NamedTuple):
    """One transaction of a participant: `asks` are commands and events, some commands are answered later.

    `began` is its time; for an answer that comes later, the time at which its command was asked.
    """

    service: str
    began: float
    asks: Sequence[Envelope]
    replies: Sequence[Envelope]


class Observer(Protocol):
    """Hears of every hop after its commit; what it raises is not caught."""

    def moved(self, hop: Moved) -> None: ...

    def handled(self, hop: Handled) -> None: ...
