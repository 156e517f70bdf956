"""The reference of the HTTP transport has every header, problem, status and bound that there is."""

from amends.adapters.http import wire
from amends.adapters.http.answers import LATER, TAKEN
from tests.docs.pages import text
from tests.docs.test_reference import found_in_code, rows

PAGE = "docs/reference/http-transport.md"


def test_headers_are_those_that_are_read() -> None:
    assert {each for each in rows(PAGE) if "-" in each or each == "traceparent"} >= set(wire._NAMES.values()) | {
        "ce-source"
    }


def test_problems_are_those_that_are_answered() -> None:
    table = text(PAGE).partition("## Problems")[2]
    answered = found_in_code(r'rejected\(\s*\d{3}, "([\w-]+)"') | found_in_code(r'problem\(\s*\d{3}, "([\w-]+)"')
    assert [name for name in sorted(answered) if f"`{name}`" not in table] == []


def test_words_for_answers_without_data_are_those_of_a_batch() -> None:
    assert {f"`{each.status}`" in text(PAGE) for each in (LATER, TAKEN)} == {True}


def test_bounds_are_those_that_are_kept() -> None:
    assert f"At most {wire.MOST_MESSAGES:,} events of {wire.MOST_BYTES // 1024} KiB" in text(PAGE)
    assert f"{wire.MOST_BATCH_BYTES // 1024**2} MiB in all" in text(PAGE)
