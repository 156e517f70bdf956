"""The shortest way from the socket to the counter: `POST /api/orders` in plain ASGI, all else to the edge behind.

A validated POST through the framework costs about 65 µs, and a whole order through here about 200 (docs/decisions,
docs/benchmarks.md); so this one route goes around it. Its description for OpenAPI stays with the others, in `api`.
"""

from collections.abc import Callable

from amends.signals import Signals
from shop.orders.counter import ROUTE, Counter
from shop.web.asgi import App, Receive, Scope, Send, read_body, send_answer
from shop.web.errors import as_problem
from shop.web.problems import Answer, Problem
from shop.web.requests import MOST_BODY_BYTES
from shop.web.traces import TRACEPARENT, remember


class HotRoute:
    """An ASGI application around another."""

    def __init__(self, behind: App, counter: Counter, stopping: Callable[[], bool], signals: Signals) -> None:
        self._behind = behind
        self._counter = counter
        self._stopping = stopping
        self._signals = signals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != ROUTE or scope["method"] != "POST":
            await self._behind(scope, receive, send)
            return
        scope["path_template"] = ROUTE
        headers = dict(scope["headers"])
        if b"traceparent" in headers:
            remember(headers[b"traceparent"])
        await send_answer(send, await self._answer(headers, receive))

    async def _answer(self, headers: dict[bytes, bytes], receive: Receive) -> Answer:
        if self._stopping():
            return Problem(503, "stopping", "the shop is closing: come back", retry_after_s=1.0).answer()
        try:
            return await self._counter.place(headers, await read_body(receive, MOST_BODY_BYTES))
        except Exception as error:  # whatever broke inside, the client gets a problem like everywhere else
            refusal = as_problem(error)
            if refusal.name == "internal-error":
                told = f"{type(error).__name__}: {error}"[:500]
                trace = TRACEPARENT.get()
                self._signals.emit("http.failed", edge="api", path=ROUTE, error=told, traceparent=trace)
            return refusal.answer()
