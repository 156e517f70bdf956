"""What is a `traceparent`, and what isn't."""

import pytest

from amends.traces import Span, read, trace_id

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("text", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", True),
    ],
)
def test_traceparent_is_read(text: str, sampled: bool) -> None:
    assert read(text) == Span(TRACE, SPAN, sampled)
    assert trace_id(text) == TRACE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_names_nothing_is_none(text: str) -> None:
    assert read(text) is None
    assert trace_id(text) == ""


def test_span_is_written_as_it_was_read() -> None:
    assert str(read(f"00-{TRACE}-{SPAN}-01")) == f"00-{TRACE}-{SPAN}-01"
    assert str(read(f"00-{TRACE}-{SPAN}-02")) == f"00-{TRACE}-{SPAN}-00"
