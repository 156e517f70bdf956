"""Envelopes as CloudEvents over HTTP: one in binary mode, with headers `ce-…`, or many as a JSON batch.

Both have the attributes of `amends.adapters.cloudevents`, and `to`, the address. In a batch they are members, text as
in headers, beside `data`, the payload.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw
from msgspec.structs import asdict

from amends.adapters.cloudevents import CONTENT_TYPE, JSON, Binding, Malformed
from amends.adapters.http.problems import rejected
from amends.messages import Envelope

BATCH = "application/cloudevents-batch+json"
MOST_BYTES = 64 * 1024
MOST_MESSAGES = 1000
MOST_BATCH_BYTES = 4 * 1024 * 1024

Headers = list[tuple[bytes, bytes]]

_HEADERS = Binding("ce-")
_MEMBERS = Binding("")
_NAMES = {name.encode(): name for name in (*_HEADERS.read, "ce-to")}
_PLAIN = re.compile(r"[!#$&-~]*")
_SAFE = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("%", "")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_encode = msgspec.json.Encoder().encode
decode_list = msgspec.json.Decoder(list[Raw]).decode


class Event(msgspec.Struct, gc=False):
    """One of a batch. `status` and `datacontenttype` are an answer's: what it would have said by itself."""

    specversion: str = ""
    id: str = ""
    source: str = ""
    type: str = ""
    subject: str = ""
    time: str = ""
    kind: str = ""
    to: str = ""
    saga: str = ""
    step: str = ""
    operation: str = ""
    attempt: str | int = ""
    epoch: str | int = ""
    shard: str | int = ""
    sender: str = ""
    outcome: str = ""
    again: str | bool = ""
    begun: str | bool = ""
    deadline: str = ""
    traceparent: str = ""
    status: str | int = ""
    datacontenttype: str = JSON
    data: Raw = Raw(b"{}")


decode_event = msgspec.json.Decoder(Event).decode
_UNMAPPED = _MEMBERS.read - {CONTENT_TYPE} - set(Event.__struct_fields__)
assert not _UNMAPPED, f"{_UNMAPPED} of an envelope would be lost in a batch"


def headers_of(envelope: Envelope) -> Headers:
    """The headers of binary mode; the body is the payload."""
    pairs = [*_HEADERS.headers(envelope), ("ce-to", envelope.to)]
    return [(name.encode(), _to_ascii(text)) for name, text in pairs if text]


def event_of(envelope: Envelope) -> dict[str, Any]:
    """The event as one of a batch."""
    event: dict[str, Any] = dict(_MEMBERS.headers(envelope))
    del event[CONTENT_TYPE]
    return event | {"to": envelope.to, "data": Raw(envelope.payload)}


def encode_batch(events: Sequence[Mapping[str, Any]]) -> bytes:
    return _encode(events)


def read_one(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Envelope:
    """Binary mode. Raises `Rejected`."""
    found = read_texts(headers)
    return _envelope(_HEADERS, found, found.get("ce-to", ""), body)


def read_texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What the headers say that are ours; their names are in lower case. Raises `Rejected`."""
    try:
        return {_NAMES[name]: _from_ascii(value) for name, value in headers if name in _NAMES}
    except UnicodeDecodeError as error:
        raise rejected(400, "malformed", f"a header is not percent-encoded UTF-8: {error}") from error


def read_batch(body: bytes) -> list[Envelope]:
    """Batched mode. Raises `Rejected`."""
    try:
        items = decode_list(body)
    except UNREADABLE as error:
        raise rejected(400, "malformed", f"the body is no JSON array: {error}") from error
    if len(items) > MOST_MESSAGES or any(len(memoryview(item)) > MOST_BYTES for item in items):
        most = f"{MOST_MESSAGES} messages of {MOST_BYTES} bytes"
        raise rejected(413, "too-large", f"a batch has at most {most}")
    return [_read_one_of_many(item) for item in items]


def _read_one_of_many(item: Raw) -> Envelope:
    try:
        event = decode_event(item)
    except UNREADABLE as error:
        raise rejected(400, "malformed", f"an event of the batch is not as it has to be: {error}") from error
    members = {name: _text(value) for name, value in asdict(event).items() if name != "data"}
    return _envelope(_MEMBERS, members, event.to, bytes(event.data))


def _envelope(binding: Binding, found: Mapping[str, str], to: str, body: bytes) -> Envelope:
    if not "".join(found.values()).isprintable():
        raise rejected(400, "malformed", "an attribute holds a character that can't be printed")
    try:
        return binding.envelope(found, to, body)
    except Malformed as error:
        raise rejected(400, "malformed", str(error)) from error


def _text(value: str | int | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _to_ascii(text: str) -> bytes:
    """Percent-encodes what the HTTP binding of CloudEvents wants encoded."""
    return (text if _PLAIN.fullmatch(text) else quote(text, safe=_SAFE)).encode("ascii")


def _from_ascii(value: bytes) -> str:
    text = value.decode("ascii")
    return unquote(text, errors="strict") if "%" in text else text
