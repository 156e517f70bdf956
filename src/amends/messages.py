"""What travels: commands ask, replies answer, events tell.

A contract is a module of small frozen structs:

    class ReserveStock(Command):
        participant = "warehouse"
        order_id: str
        sku: str
        quantity: int

    class StockReserved(Reply): ...

    class OutOfStock(Refusal):
        sku: str
"""

import re
from enum import StrEnum
from functools import cache
from typing import ClassVar, NewType, dataclass_transform

import msgspec

SagaId = NewType("SagaId", str)
MessageId = NewType("MessageId", str)


class Kind(StrEnum):
    COMMAND = "command"
    REPLY = "reply"
    EVENT = "event"


class Operation(StrEnum):
    """What a command asks of a step: its action, or the compensation of that action."""

    ACTION = "action"
    COMPENSATION = "compensation"


class Outcome(StrEnum):
    """How a participant answered. `FAILED` means: nothing happened, ask again."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass_transform(frozen_default=True, field_specifiers=(msgspec.field,))
class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The root of commands, replies and events."""


class Command(Message):
    """Asks one participant; `participant` is its address."""

    participant: ClassVar[str] = ""


class Reply(Message):
    """Answers that the command was carried out."""


class Refusal(Message):
    """Answers no, for good. Its name in kebab-case is the reason that users see."""


class Event(Message):
    """Tells what happened, to whoever listens on `topic`. `Tx.tell` puts it in the outbox."""

    topic: ClassVar[str] = ""


class Done(Reply):
    """The answer of a handler that has nothing to add."""


class AlreadyCompensated(Refusal):
    """The action came after its own compensation."""


class Expired(Refusal):
    """The action came after the deadline that its command carried."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """A message on its way.

    `key` orders: messages of one key are delivered in the order in which they were sent. `sender` is the address of
    the coordinator that asks, or the name of the participant that answers. `deadline` and `at` are Unix times in
    seconds. `payload` is the message as JSON. `begun`: no action was sent, the step began with its saga. `shard` is the
    one of the coordinator's that holds the saga; its epochs are counted apart from those of others.
    """

    id: MessageId
    kind: Kind
    type: str
    to: str
    key: str
    at: float
    payload: bytes
    saga: SagaId = SagaId("")
    step: str = ""
    operation: Operation = Operation.ACTION
    attempt: int = 0
    epoch: int = 0
    sender: str = ""
    outcome: Outcome = Outcome.DONE
    again: bool = False
    deadline: float | None = None
    traceparent: str = ""
    begun: bool = False
    shard: int = 0


_encoder = msgspec.json.Encoder()


def encode(message: Message) -> bytes:
    """The message as JSON."""
    return _encoder.encode(message)


@cache
def type_name(message_type: type[Message]) -> str:
    """The name on the wire: `warehouse.ReserveStock` for a command, `billing.events.MoneyPaidIn` for an event of that
    topic, `StockReserved` for an answer."""
    if issubclass(message_type, Command):
        return f"{message_type.participant}.{message_type.__name__}"
    if issubclass(message_type, Event):
        return f"{message_type.topic}.{message_type.__name__}"
    return message_type.__name__


@cache
def reason_of(type_on_wire: str) -> str:
    """`OutOfStock` -> `out-of-stock`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", type_on_wire).lower()
