"""Envelopes as CloudEvents 1.0 in binary mode: the attributes travel as headers, the payload as it is.

Attributes of the standard: `id`, `source`, `type`, `subject` (the key), `time`; extensions: `kind` and what an envelope
has besides. Every value is plain text, and what is missing or empty has its default, so that a relay which knows
nothing of envelopes can make the same headers from text columns. Headers that are not ours are passed over.

    KAFKA = Binding("ce_")
    KAFKA.headers(envelope)     # [("ce_specversion", "1.0"), ("ce_id", "0190…"), …]

Source: CloudEvents 1.0.2, its Kafka binding (`ce_`) and its HTTP binding (`ce-`).
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from amends.messages import Envelope, Kind, MessageId, Operation, Outcome

JSON = "application/json"
CONTENT_TYPE = "content-type"
_TRACEPARENT = "traceparent"  # a header of its own, by W3C Trace Context
_VERSION = "1.0"
_NOWHERE = "amends"  # a source must not be empty
_INT64 = range(-(2**63), 2**63)
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_OPERATIONS = {each.value: each for each in Operation}
_OUTCOMES = {each.value: each for each in Outcome}
_KINDS = {each.value: each for each in Kind}


class Malformed(ValueError):
    """Headers that are no envelope's: names the header and what it says."""


class Extension(NamedTuple):
    """A field of an envelope that has a default, and how it is written and read."""

    field: str
    default: object
    write: Callable[[Any], str]
    read: Callable[[str], object]


def time_text(at: float) -> str:
    """Unix seconds as RFC 3339 with as many digits as it takes to come back exactly; from 1970 on.

    >>> time_text(2_000_000_000.25)
    '2033-05-18T03:33:20.25Z'
    """
    text = repr(at)
    whole, _, fraction = (f"{Decimal(text):f}" if "e" in text else text).partition(".")
    return f"{_second_text(int(whole))}.{fraction or '0'}Z"


def time_of(text: str) -> float:
    """Raises `ValueError` for what is no time of RFC 3339 from 1970 on."""
    found = _TIME.fullmatch(text.upper())
    if found is None:
        raise ValueError(text)
    return float(f"{_second_of(found[1] + found[3])}.{found[2] or '0'}")


@lru_cache(4096)
def _second_text(second: int) -> str:
    if second < 0:
        raise ValueError(f"{second} seconds: before 1970")
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


@lru_cache(4096)
def _second_of(text: str) -> int:
    second = int(datetime.fromisoformat(text).timestamp())
    if second < 0:
        raise ValueError(text)
    return second


def _int_of(text: str) -> int:
    number = int(text)
    if number not in _INT64:
        raise ValueError(text)
    return number


def _boolean_text(value: bool) -> str:
    return "true" if value else "false"


EXTENSIONS = (
    Extension("saga", "", str, str),
    Extension("step", "", str, str),
    Extension("operation", Operation.ACTION, Operation.__str__, _OPERATIONS.__getitem__),
    Extension("attempt", 0, str, _int_of),
    Extension("epoch", 0, str, _int_of),
    Extension("sender", "", str, str),
    Extension("outcome", Outcome.DONE, Outcome.__str__, _OUTCOMES.__getitem__),
    Extension("again", False, _boolean_text, _BOOLEANS.__getitem__),
    Extension("deadline", None, time_text, time_of),
    Extension(_TRACEPARENT, "", str, str),
    Extension("begun", False, _boolean_text, _BOOLEANS.__getitem__),
    Extension("shard", 0, str, _int_of),
)
_REQUIRED = len(Envelope.__struct_fields__) - len(EXTENSIONS)
assert Envelope.__struct_fields__[_REQUIRED:] == tuple(each.field for each in EXTENSIONS), "a field is not mapped"


class Binding:
    """How a transport names the headers: with a prefix, but for `content-type` and `traceparent`."""

    def __init__(self, prefix: str) -> None:
        self._specversion, self._id, self._source, self._type, self._subject, self._time, self._kind = (
            f"{prefix}{attribute}" for attribute in ("specversion", "id", "source", "type", "subject", "time", "kind")
        )
        self._extensions = [(_named(prefix, each.field), each) for each in EXTENSIONS]
        required = (self._specversion, self._id, self._type, self._subject, self._time, self._kind, CONTENT_TYPE)
        self.read = frozenset([*required, *[name for name, _ in self._extensions]])
        """The names of the headers that `envelope` looks at."""

    def headers(self, envelope: Envelope) -> list[tuple[str, str]]:
        """All that the payload doesn't say, except `to`. Raises `ValueError` for a time before 1970."""
        made = [
            (self._specversion, _VERSION),
            (self._id, envelope.id),
            (self._source, envelope.sender or _NOWHERE),
            (self._type, envelope.type),
            (self._subject, envelope.key),
            (self._time, time_text(envelope.at)),
            (CONTENT_TYPE, JSON),
            (self._kind, envelope.kind.value),
        ]
        values = msgspec.structs.astuple(envelope)[_REQUIRED:]
        for (name, extension), value in zip(self._extensions, values, strict=True):
            if value != extension.default:
                made.append((name, extension.write(value)))
        return made

    def envelope(self, headers: Mapping[str, str], to: str, payload: bytes, key: str | None = None) -> Envelope:
        """The envelope that was sent to the address `to`; `key` when the transport carries it apart.

        Raises `Malformed`.
        """
        self._check(headers)
        return Envelope(
            id=MessageId(self._required(headers, self._id, str)),
            kind=self._required(headers, self._kind, _KINDS.__getitem__),
            type=headers.get(self._type, ""),
            to=to,
            key=headers.get(self._subject, "") if key is None else key,
            at=self._required(headers, self._time, time_of),
            payload=payload,
            **self._optional(headers),
        )

    def _check(self, headers: Mapping[str, str]) -> None:
        version, content = headers.get(self._specversion), headers.get(CONTENT_TYPE)
        if version and version != _VERSION:
            raise Malformed(f"{self._specversion}: {version!r}: only CloudEvents {_VERSION} is understood")
        if content and content.partition(";")[0].strip().lower() != JSON:
            raise Malformed(f"{CONTENT_TYPE}: {content!r}: only {JSON} is understood")

    def _required(self, headers: Mapping[str, str], name: str, read: Callable[[str], Any]) -> Any:
        text = headers.get(name)
        if not text:
            raise Malformed(f"{name} is missing")
        return _read(name, text, read)

    def _optional(self, headers: Mapping[str, str]) -> dict[str, Any]:
        return {
            extension.field: _read(name, text, extension.read)
            for name, extension in self._extensions
            if (text := headers.get(name))
        }


def _named(prefix: str, field: str) -> str:
    return field if field == _TRACEPARENT else f"{prefix}{field}"


def _read(name: str, text: str, read: Callable[[str], object]) -> object:
    try:
        return read(text)
    except (ValueError, KeyError) as error:
        raise Malformed(f"{name}: {text[:100]!r}") from error
