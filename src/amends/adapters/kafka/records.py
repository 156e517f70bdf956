"""Kafka's records as envelopes; what is no envelope becomes one that can be parked."""

import base64

import msgspec
from confluent_kafka import Message

from amends.adapters.cloudevents import Binding, Malformed
from amends.messages import Envelope, Kind, MessageId

KAFKA = Binding("ce_")
UNDECODABLE = "undecodable"
Legible = dict[str, str]


class Undecodable(msgspec.Struct, frozen=True):
    """The payload of an envelope of type `undecodable`: the record as it came, and what is wrong with it.

    Bytes are `{"text": …}`, or `{"base64": …}` when they are no text.
    """

    error: str
    topic: str
    partition: int
    offset: int
    key: Legible | None
    headers: list[tuple[str, Legible | None]]
    value: Legible | None


def position_of(message: Message) -> str:
    """`topic/partition/offset`."""
    return f"{message.topic()}/{message.partition()}/{message.offset()}"


def read(message: Message, address: str) -> Envelope:
    """Raises `Malformed`."""
    names = KAFKA.read
    try:
        headers = {name: _text(value) for name, value in _headers(message) if value and name in names}
        key = message.key()
        envelope = KAFKA.envelope(headers, address, message.value() or b"", None if key is None else _text(key))
    except UnicodeDecodeError as error:
        raise Malformed(f"key or headers are not UTF-8: {error}") from error
    if envelope.kind is Kind.COMMAND and not envelope.sender:
        raise Malformed("ce_sender is missing: nobody would get the answer")
    return envelope


def undecodable(message: Message, address: str, error: Malformed) -> Envelope:
    """An envelope of a type that nobody handles, so that the record is parked.

    Its position is its id, so that it is parked once; and its key, so that it holds nobody up: there is no telling
    whose it is.
    """
    position = position_of(message)
    told = Undecodable(
        error=str(error),
        topic=message.topic() or "",
        partition=_number(message.partition()),
        offset=_number(message.offset()),
        key=_legible(message.key()),
        headers=[(name, _legible(value)) for name, value in _headers(message)],
        value=_legible(message.value()),
    )
    return Envelope(
        id=MessageId(position),
        kind=Kind.EVENT,
        type=UNDECODABLE,
        to=address,
        key=position,
        at=max(message.timestamp()[1], 0) / 1000,
        payload=msgspec.json.encode(told),
    )


def _headers(message: Message) -> list[tuple[str, bytes | None]]:
    found = message.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]


def _number(value: int | None) -> int:
    return -1 if value is None else value


def _legible(value: bytes | None) -> Legible | None:
    if value is None:
        return None
    try:
        return {"text": _text(value)}
    except (UnicodeDecodeError, Malformed):
        return {"base64": base64.b64encode(value).decode()}


def _text(value: bytes) -> str:
    """Text that every database takes: PostgreSQL's can't hold a null character."""
    if b"\0" in value:
        raise Malformed("key or headers hold a null character")
    return value.decode()
