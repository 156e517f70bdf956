"""Envelopes come back from headers exactly; headers that are no envelope's are told apart, and by name."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends.adapters.cloudevents import Binding, Malformed, time_of, time_text
from amends.conformance.fixtures import envelope, event
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId

KAFKA = Binding("ce_")
YEAR_9999 = 253_402_300_799.0

times = st.floats(0.0, YEAR_9999) | st.floats(1.7e9, 2.1e9)
texts = st.text(max_size=30)
numbers = st.integers(-(2**63), 2**63 - 1)
envelopes = st.builds(
    Envelope,
    id=st.text(min_size=1, max_size=40).map(MessageId),
    kind=st.sampled_from(Kind),
    type=texts,
    to=texts,
    key=texts,
    at=times,
    payload=st.binary(max_size=40),
    saga=texts.map(SagaId),
    step=texts,
    operation=st.sampled_from(Operation),
    attempt=numbers,
    epoch=numbers,
    sender=texts,
    outcome=st.sampled_from(Outcome),
    again=st.booleans(),
    deadline=st.none() | times,
    traceparent=texts,
    begun=st.booleans(),
    shard=numbers,
)
PLAIN = Envelope(id=MessageId("m1"), kind=Kind.EVENT, type="", to="", key="", at=0.0, payload=b"")


@given(sent=envelopes)
@pytest.mark.parametrize("binding", [KAFKA, Binding("ce-")], ids=["kafka", "http"])
def test_envelope_comes_back_from_its_headers(binding: Binding, sent: Envelope) -> None:
    headers = binding.headers(sent)
    assert binding.envelope(dict(headers), sent.to, sent.payload) == sent
    assert len(dict(headers)) == len(headers)


@given(at=times)
def test_time_comes_back_from_its_text(at: float) -> None:
    assert time_of(time_text(at)) == at


def test_headers_are_those_of_the_standard_and_plain_text() -> None:
    assert dict(KAFKA.headers(envelope("m1"))) == {
        "ce_specversion": "1.0",
        "ce_id": "m1",
        "ce_source": "trips.coordinator",
        "ce_type": "hotel.BookHotel",
        "ce_subject": "k",
        "ce_time": "2033-05-18T03:33:20.0Z",
        "content-type": "application/json",
        "ce_kind": "command",
        "ce_saga": "k",
        "ce_step": "book hotel",
        "ce_operation": "compensation",
        "ce_attempt": "2",
        "ce_epoch": "7",
        "ce_sender": "trips.coordinator",
        "ce_outcome": "refused",
        "ce_again": "true",
        "ce_deadline": "2033-05-18T03:33:50.5Z",
        "traceparent": "00-ab-cd-01",
        "ce_begun": "true",
        "ce_shard": "3",
    }


def test_what_has_its_default_is_left_out() -> None:
    assert [name for name, _ in KAFKA.headers(event("m1"))] == [
        "ce_specversion",
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "content-type",
        "ce_kind",
        "ce_sender",
    ]


def test_source_is_never_empty() -> None:
    assert dict(KAFKA.headers(PLAIN))["ce_source"] == "amends"


def test_columns_that_are_empty_and_headers_of_others_change_nothing() -> None:
    sent = dict.fromkeys(KAFKA.read, "") | dict(KAFKA.headers(PLAIN)) | {"id": "0190", "ce_dataschema": "x"}
    assert KAFKA.envelope(sent, "", b"") == PLAIN


def test_key_of_the_transport_is_the_key() -> None:
    assert KAFKA.envelope(dict(KAFKA.headers(envelope("m1"))), "hotel", b"", key="k2").key == "k2"


def test_what_the_content_type_says_besides_is_passed_over() -> None:
    sent = dict(KAFKA.headers(PLAIN)) | {"content-type": "Application/JSON; charset=utf-8"}
    assert KAFKA.envelope(sent, "", b"") == PLAIN


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2033-05-18T03:33:20Z", 2e9),
        ("2033-05-18t05:33:20.25+02:00", 2e9 + 0.25),
        ("1970-01-01T00:00:00.000000000Z", 0.0),
    ],
)
def test_times_of_others_are_understood(text: str, at: float) -> None:
    assert time_of(text) == at


BAD: dict[str, list[str | None]] = {
    "ce_id": [None],
    "ce_kind": [None, "Command", "order"],
    "ce_time": [None, "now", "2000000000", "1969-12-31T23:59:59Z", "2033-05-18T03:33:60Z", "2033-05-18T03:33:20"],
    "ce_specversion": ["0.3"],
    "content-type": ["application/cloudevents+json", "text/plain"],
    "ce_operation": ["undo"],
    "ce_outcome": ["DONE"],
    "ce_attempt": ["one", "1.5", str(2**63)],
    "ce_epoch": ["9" * 5000],
    "ce_again": ["True", "1"],
    "ce_deadline": ["soon"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_header_that_is_missing_or_wrong_is_named(name: str, value: str | None) -> None:
    headers = dict(KAFKA.headers(envelope("m1")))
    headers.pop(name)
    with pytest.raises(Malformed, match=f"^{name}"):
        KAFKA.envelope(headers if value is None else headers | {name: value}, "hotel", b"{}")


def test_time_before_1970_is_not_sent() -> None:
    with pytest.raises(ValueError, match="before 1970"):
        KAFKA.headers(msgspec.structs.replace(PLAIN, at=-1.5))
