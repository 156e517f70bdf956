"""A participant: one function per command, each called at most once per (saga, step, operation).

    warehouse = Participant("warehouse")

    @warehouse.handles(ReserveStock)
    async def reserve(tx: Tx, command: ReserveStock) -> StockReserved | OutOfStock: ...

A handler writes through `tx`, reads the time from `tx.now`, takes its ids from the command, and never opens or commits
a transaction. It refuses before it writes. On hot paths `handles_many` takes all commands of one type in a hop at once
and answers in the same order. `handles_later` is for effects outside the database: the handler notes what to do, and
`ParticipantHop.answer` gives the reply when it is known; `handles_many_later` notes all of a hop at once.
"""

from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import msgspec

from amends.connections import Tx
from amends.errors import DefinitionError, UnknownMessage
from amends.messages import Command, Envelope, Event, Message, Refusal, Reply, type_name

C = TypeVar("C", bound=Command)
E = TypeVar("E", bound=Event)
Answer = Reply | Refusal

One = Callable[[Tx, C], Awaitable[Answer]]
Many = Callable[[Tx, Sequence[C]], Awaitable[Sequence[Answer]]]
Later = Callable[[Tx, C, "Asked"], Awaitable[Answer | None]]
ManyLater = Callable[[Tx, Sequence[C], Sequence["Asked"]], Awaitable[Sequence[Answer | None]]]
Hear = Callable[[Tx, E], Awaitable[None]]


class Asked(NamedTuple):
    """Names an operation whose reply comes later; three strings, to be stored."""

    saga: str
    step: str
    operation: str


class Call(Enum):
    """How a handler wants its messages."""

    ONE = "one"
    MANY = "many"
    LATER = "later"
    MANY_LATER = "many later"
    HEAR = "hear"


class Handler(NamedTuple):
    call: Call
    function: Callable[..., Awaitable[Any]]
    decoder: msgspec.json.Decoder[Any]


class Participant:
    """The commands and events that one service takes, by their names on the wire."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.topics: list[str] = []
        self._handlers: dict[str, Handler] = {}

    def handles(self, command: type[C]) -> Callable[[One[C]], One[C]]:
        """Registers a function of (tx, command) -> reply."""
        return self._register(command, Call.ONE)

    def handles_many(self, command: type[C]) -> Callable[[Many[C]], Many[C]]:
        """Registers a function of (tx, commands) -> replies, in the same order."""
        return self._register(command, Call.MANY)

    def handles_later(self, command: type[C]) -> Callable[[Later[C]], Later[C]]:
        """Registers a function of (tx, command, asked) -> reply, or None when the reply comes later."""
        return self._register(command, Call.LATER)

    def handles_many_later(self, command: type[C]) -> Callable[[ManyLater[C]], ManyLater[C]]:
        """Registers a function of (tx, commands, asked) -> replies or None, in the same order."""
        return self._register(command, Call.MANY_LATER)

    def hears(self, event: type[E]) -> Callable[[Hear[E]], Hear[E]]:
        """Registers a function of (tx, event); each event is heard once. Its topic is read for this participant."""
        if event.topic not in self.topics:
            self.topics.append(event.topic)
        return self._register(event, Call.HEAR)

    def copy(self) -> "Participant":
        """The same, to which more handlers can be added."""
        made = Participant(self.name)
        made.topics = [*self.topics]
        made._handlers = {**self._handlers}
        return made

    def handler(self, envelope: Envelope) -> Handler:
        """Raises `UnknownMessage`."""
        found = self._handlers.get(envelope.type)
        if found is None:
            raise UnknownMessage(f"{self.name} has no handler for {envelope.type} (message {envelope.id})")
        return found

    @property
    def types(self) -> list[str]:
        return sorted(self._handlers)

    def _register(self, message: type[Message], call: Call) -> Callable[[Any], Any]:
        name = type_name(message)
        if issubclass(message, Command) and message.participant != self.name:
            wrong = f"{name} names participant {message.participant!r}, not {self.name!r}"
            raise DefinitionError(f"participant {self.name!r}: {wrong}; set `participant` in the contract")
        if name in self._handlers:
            raise DefinitionError(f"participant {self.name!r}: {name} has two handlers; keep one")

        def register(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            self._handlers[name] = Handler(call, function, msgspec.json.Decoder(message))
            return function

        return register
