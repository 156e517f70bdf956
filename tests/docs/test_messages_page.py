"""The page on messages names every topic, header and setting."""

import msgspec

from amends.adapters.cloudevents import Binding
from amends.adapters.kafka import KafkaSettings
from amends.conformance.fixtures import envelope
from tests.docs.pages import text
from tests.docs.test_reference import rows

PAGE = "docs/reference/messages.md"


def test_headers_are_those_that_are_written_and_read() -> None:
    kafka = Binding("ce_")
    assert {each for each in rows(PAGE) if each.startswith("ce_") or "-" in each or each == "traceparent"} == {
        *kafka.read,
        *dict(kafka.headers(envelope("m1"))),
    }


def test_settings_are_those_of_kafka() -> None:
    [table] = text(PAGE).split("`KafkaSettings`:")[1:]
    assert [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")] == [
        field.name for field in msgspec.structs.fields(KafkaSettings)
    ]
