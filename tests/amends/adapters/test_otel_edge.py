"""The span of an HTTP request: it goes on where the caller's trace is, or begins one."""

from collections.abc import Sequence
from typing import Any

import pytest

from amends.adapters.otel import TracedEdge, Tracing
from amends.adapters.otel.edge import Receive, Scope, Send
from amends.traces import read
from tests.amends.adapters.test_otel import ABOVE, SAMPLED, TRACE, UNSAMPLED, received
from tests.otlp import Received

Headers = list[tuple[bytes, bytes]]


class Front:
    """An edge with an application behind it that answers with `status`, and notes what it was asked with."""

    def __init__(self, ratio: float = 1.0) -> None:
        self.spans: list[Received] = []
        self.status: int | None = 200
        self.seen: list[Scope] = []
        tracing = Tracing(lambda span: self.spans.append(received(span)), ratio=ratio)
        self._edge = TracedEdge(self._app, tracing, "api")

    async def ask(self, *traceparents: str, path: str = "/api/orders/7", kind: str = "http") -> Headers:
        """Returns the headers of the answer."""
        sent: list[dict[str, Any]] = []
        headers = [(b"host", b"shop"), *[(b"traceparent", each.encode()) for each in traceparents]]

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request"}

        await self._edge({"type": kind, "method": "GET", "path": path, "headers": headers}, receive, send)
        return list(sent[0]["headers"]) if sent else []

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        scope["path_template"] = "/api/orders/{order_id}"
        if self.status is None:
            raise LookupError("broken")
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b""})


def traceparents(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    return [value.decode() for name, value in headers if name == b"traceparent"]


@pytest.fixture
def front() -> Front:
    return Front()


async def test_request_without_a_trace_begins_one(front: Front) -> None:
    answered = traceparents(await front.ask())
    [span] = front.spans
    assert (span.service, span.name, span.kind, span.parent_id) == ("api", "GET /api/orders/{order_id}", "server", "")
    assert span.attributes["http.response.status_code"] == 200
    assert answered == [f"00-{span.trace_id}-{span.span_id}-01"]


async def test_request_goes_on_with_its_callers_trace(front: Front) -> None:
    await front.ask(SAMPLED)
    [span] = front.spans
    assert (span.trace_id, span.parent_id) == (TRACE, ABOVE)


async def test_application_finds_the_requests_own_span_and_the_other_headers(front: Front) -> None:
    answer = await front.ask(SAMPLED)
    [inner] = front.seen
    assert traceparents(inner["headers"]) == traceparents(answer)
    assert (b"host", b"shop") in inner["headers"]
    assert (b"x", b"y") in answer
    own = read(traceparents(answer)[0])
    assert own is not None
    assert own.span_id == front.spans[0].span_id


@pytest.mark.parametrize("wrong", [["nonsense"], [SAMPLED, SAMPLED]], ids=["nonsense", "two"])
async def test_header_that_names_nothing_begins_a_trace(front: Front, wrong: list[str]) -> None:
    await front.ask(*wrong)
    [span] = front.spans
    assert (span.trace_id == TRACE, span.parent_id) == (False, "")
    assert len(traceparents(front.seen[0]["headers"])) == 1


async def test_trace_that_is_not_sampled_travels_without_a_span(front: Front) -> None:
    assert traceparents(await front.ask(UNSAMPLED)) == [UNSAMPLED]
    assert front.spans == []


async def test_new_trace_that_is_not_sampled_says_so() -> None:
    front = Front(ratio=0.0)
    [answered] = traceparents(await front.ask())
    assert answered.endswith("-00")
    assert traceparents(front.seen[0]["headers"]) == [answered]
    assert front.spans == []


async def test_answer_that_says_that_we_failed_is_an_error(front: Front) -> None:
    front.status = 503
    await front.ask()
    front.status = 404
    await front.ask()
    assert [span.failed for span in front.spans] == [True, False]


async def test_application_that_breaks_is_an_error_and_still_breaks(front: Front) -> None:
    front.status = None
    with pytest.raises(LookupError):
        await front.ask()
    [span] = front.spans
    assert span.failed
    assert "http.response.status_code" not in span.attributes


async def test_probes_and_what_is_not_http_pass_untouched(front: Front) -> None:
    await front.ask(path="/healthz")
    await front.ask(kind="lifespan")
    assert front.spans == []
    assert traceparents(front.seen[0]["headers"]) == []
