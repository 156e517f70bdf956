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

from amends.messages import Envelope, Kind, Operation, Outcome

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


class Attribute(NamedTuple):
    """A field of an envelope: the attribute that carries it, and how it is written and read."""

    name: str
    field: str
    write: Callable[[Any], str]
    read: Callable[[str], object]
    default: object = None


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


REQUIRED = (
    Attribute("id", "id", str, str),
    Attribute("kind", "kind", Kind.__str__, _KINDS.__getitem__),
    Attribute("time", "at", time_text, time_of),
)
TYPE = Attribute("type", "type", str, str)
EXTENSIONS = (
    Attribute("saga", "saga", str, str, ""),
    Attribute("step", "step", str, str, ""),
    Attribute("operation", "operation", Operation.__str__, _OPERATIONS.__getitem__, Operation.ACTION),
    Attribute("attempt", "attempt", str, _int_of, 0),
    Attribute("epoch", "epoch", str, _int_of, 0),
    Attribute("sender", "sender", str, str, ""),
    Attribute("outcome", "outcome", Outcome.__str__, _OUTCOMES.__getitem__, Outcome.DONE),
    Attribute("again", "again", _boolean_text, _BOOLEANS.__getitem__, False),
    Attribute("deadline", "deadline", time_text, time_of, None),
    Attribute(_TRACEPARENT, "traceparent", str, str, ""),
    Attribute("begun", "begun", _boolean_text, _BOOLEANS.__getitem__, False),
    Attribute("shard", "shard", str, _int_of, 0),
)
_BEFORE = len(Envelope.__struct_fields__) - len(EXTENSIONS)
assert Envelope.__struct_fields__[_BEFORE:] == tuple(each.field for each in EXTENSIONS), "a field is not mapped"


class Binding:
    """How a transport names the headers: with a prefix, but for `content-type` and `traceparent`."""

    def __init__(self, prefix: str) -> None:
        def named(attribute: str) -> str:
            return attribute if attribute == _TRACEPARENT else f"{prefix}{attribute}"

        self._specversion, self._source, self._subject = map(named, ("specversion", "source", "subject"))
        self._id, self._type, self._time, self._kind = map(named, ("id", "type", "time", "kind"))
        self._required = [(named(each.name), each.field) for each in REQUIRED]
        self._written = [(named(each.name), each.default, each.write) for each in EXTENSIONS]
        self._read = [(named(each.name), each.field, each.read) for each in (*REQUIRED, TYPE, *EXTENSIONS)]
        self.read = frozenset([self._specversion, self._subject, CONTENT_TYPE, *[name for name, _, _ in self._read]])
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
        values = msgspec.structs.astuple(envelope)[_BEFORE:]
        for (name, default, write), value in zip(self._written, values, strict=True):
            if value != default:
                made.append((name, write(value)))
        return made

    def envelope(self, headers: Mapping[str, str], to: str, payload: bytes, key: str | None = None) -> Envelope:
        """The envelope that was sent to the address `to`; `key` when the transport carries it apart.

        Raises `Malformed`.
        """
        self._check(headers)
        fields: dict[str, Any] = {"type": ""}
        for name, field, read in self._read:
            if text := headers.get(name):
                try:
                    fields[field] = read(text)
                except (ValueError, KeyError) as error:
                    raise Malformed(f"{name}: {text[:100]!r}") from error
        if missing := [name for name, field in self._required if field not in fields]:
            raise Malformed(f"{missing[0]} is missing")
        return Envelope(to=to, key=headers.get(self._subject, "") if key is None else key, payload=payload, **fields)

    def _check(self, headers: Mapping[str, str]) -> None:
        version, content = headers.get(self._specversion), headers.get(CONTENT_TYPE)
        if version and version != _VERSION:
            raise Malformed(f"{self._specversion}: {version!r}: only CloudEvents {_VERSION} is understood")
        if content and content != JSON and content.partition(";")[0].strip().lower() != JSON:
            raise Malformed(f"{CONTENT_TYPE}: {content!r}: only {JSON} is understood")
