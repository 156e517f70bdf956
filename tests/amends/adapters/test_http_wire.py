"""Envelopes over HTTP come back as they were; nothing that is sent breaks who reads it."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.adapters.http import wire
from amends.adapters.http.answers import TAKEN, Answer, Response, batch_of, read_answers, response_of
from amends.adapters.http.problems import Rejected, problem
from amends.conformance.fixtures import envelope, event
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId

PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=40)
NAMES = PRINTABLE.filter(bool)
NUMBERS = st.integers(0, 2**53)
TIMES = st.floats(0, 4e9)
ENVELOPES = st.builds(
    Envelope,
    id=NAMES.map(MessageId),
    kind=st.sampled_from(Kind),
    type=NAMES,
    to=PRINTABLE,
    key=PRINTABLE,
    at=TIMES,
    payload=st.sampled_from([b"{}", b'{"a":1}', b" [1, 2.50] ", '"Zoë"'.encode(), rb'"\u0000"']),
    saga=PRINTABLE.map(SagaId),
    step=PRINTABLE,
    operation=st.sampled_from(Operation),
    attempt=NUMBERS,
    epoch=NUMBERS,
    sender=PRINTABLE,
    outcome=st.sampled_from(Outcome),
    again=st.booleans(),
    deadline=st.none() | TIMES,
    traceparent=PRINTABLE,
    begun=st.booleans(),
    shard=NUMBERS,
)


def one(sent: Envelope) -> Envelope:
    return wire.read_one(wire.headers_of(sent), sent.payload)


def of_many(sent: Envelope) -> Envelope:
    batch = wire.read_batch(wire.encode_batch([wire.event_of(envelope("m1")), wire.event_of(sent)]))
    return batch[1]


@pytest.mark.parametrize("mode", [one, of_many])
@given(ENVELOPES)
def test_envelope_comes_back_as_it_was(mode: Callable[[Envelope], Envelope], sent: Envelope) -> None:
    got = mode(sent)
    assert (got.payload.strip(), got) == (sent.payload.strip(), _with_payload(sent, got.payload))


@given(ENVELOPES)
def test_headers_are_visible_ascii(sent: Envelope) -> None:
    for name, value in wire.headers_of(sent):
        assert name == name.lower()
        assert all(0x21 <= byte <= 0x7E for byte in value)


@given(st.lists(st.tuples(st.sampled_from(sorted(wire._NAMES)), st.binary())), st.binary())
def test_headers_of_any_kind_are_read_or_rejected(headers: wire.Headers, body: bytes) -> None:
    _read_or_rejected(lambda: wire.read_one(headers, body))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(wire.Event.__struct_fields__), inner),
)


@given(JSON_VALUES)
def test_batch_of_any_kind_is_read_or_rejected(value: object) -> None:
    _read_or_rejected(lambda: wire.read_batch(wire._encode(value)))


@given(st.binary())
def test_bytes_of_any_kind_are_read_or_rejected(body: bytes) -> None:
    _read_or_rejected(lambda: wire.read_batch(body))


@given(st.binary(), st.integers(0, 3), st.sampled_from([b"application/json", wire.BATCH.encode(), b"text/html"]))
def test_answer_of_any_kind_is_read_or_rejected(body: bytes, count: int, media: bytes) -> None:
    headers = [(b"content-type", media), (b"ce-type", b"Room")]
    _read_or_rejected(lambda: read_answers(Response(200, headers, body), count))


def test_answers_come_back_as_they_were() -> None:
    reply, no = envelope("r1"), problem(404, "unknown-message", "no")
    asked = [envelope("m1"), event("m2"), envelope("m3")]
    said = read_answers(batch_of(asked, [Answer(200, reply), TAKEN, Answer(404, problem=no)]), 3)
    assert [(each.status, each.problem) for each in said] == [(200, None), (204, None), (404, no)]
    assert (said[0].type, said[0].outcome, said[0].payload) == (reply.type, reply.outcome, reply.payload)
    assert read_answers(response_of(Answer(200, reply)), 1) == [said[0]]


def _with_payload(sent: Envelope, payload: bytes) -> Envelope:
    """White space around JSON is lost in a batch."""
    return Envelope(**{name: getattr(sent, name) for name in sent.__struct_fields__} | {"payload": payload})


def _read_or_rejected(read: Callable[[], object]) -> None:
    with suppress(Rejected):
        read()
