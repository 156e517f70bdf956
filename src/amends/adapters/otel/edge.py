"""The span of an HTTP request, around any ASGI application."""

from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from opentelemetry.trace import SpanKind

from amends.adapters.otel.tracing import Tracing
from amends.traces import Span, read

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NAME = b"traceparent"
PROBES = ("/healthz", "/readyz", "/metrics")


class TracedEdge:
    """The application finds its own span in the request's header `traceparent`; the answer has it, too.

    `service` is the name that the span is told under; `untraced` are paths that are asked too often to be of interest.
    """

    def __init__(self, app: App, tracing: Tracing, service: str, untraced: Collection[str] = PROBES) -> None:
        self._app = app
        self._tracing = tracing
        self._service = service
        self._untraced = frozenset(untraced)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in self._untraced:
            await self._app(scope, receive, send)
        else:
            await self._traced(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send) -> None:
        above = _above(scope)
        span, began = self._tracing.of_request(above), self._tracing.now()
        named = (NAME, str(span).encode())
        inner = {**scope, "headers": [*[pair for pair in scope["headers"] if pair[0] != NAME], named]}
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), named]}
            await send(message)

        try:
            await self._app(inner, receive, answer)
        finally:
            if span.sampled:
                self._end(inner, span, above, began, status)

    def _end(self, scope: Scope, span: Span, above: Span | None, began: float, status: int) -> None:
        """Without an answer the application has failed, or was cancelled."""
        method, route = scope["method"], _route(scope)
        told: dict[str, str | int] = {"http.request.method": method, "url.path": scope["path"]}
        told |= {"http.response.status_code": status} if status else {}
        told |= {"http.route": route} if route else {}
        error = None if 0 < status < 500 else f"status {status}" if status else "no answer"
        name = f"{method} {route}".strip()
        self._tracing.end(self._service, name, SpanKind.SERVER, span, above, began, told, error=error)


def _above(scope: Scope) -> Span | None:
    """Two headers of this name are none (W3C Trace Context)."""
    found = [value for name, value in scope["headers"] if name == NAME]
    return read(found[0].decode("latin-1")) if len(found) == 1 else None


def _route(scope: Scope) -> str:
    """What the framework has found: Litestar's template, the path of Starlette's route; empty when it says nothing."""
    return str(scope.get("path_template") or getattr(scope.get("route"), "path", ""))
