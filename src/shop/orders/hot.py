"""The shortest way from the socket to the desk: `POST /api/orders` in plain ASGI, everything else to the edge behind.

A validated POST through the framework costs about 65 µs, and a whole order through here about 200 (docs/decisions,
docs/benchmarks.md); so this one route goes around it. Its description for OpenAPI stays with the others, in `api`.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from amends.signals import Signals
from shop.orders.desk import ROUTE, Desk
from shop.web.errors import as_problem
from shop.web.problems import Answer, Problem
from shop.web.requests import MOST_BODY_BYTES

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class HotRoute:
    """An ASGI application around another."""

    def __init__(self, behind: App, desk: Desk, stopping: Callable[[], bool], signals: Signals) -> None:
        self._behind = behind
        self._desk = desk
        self._stopping = stopping
        self._signals = signals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != ROUTE or scope["method"] != "POST":
            await self._behind(scope, receive, send)
            return
        headers = dict(scope["headers"])
        answer = await self._answer(headers, receive)
        length = (b"content-length", b"%d" % len(answer.body))
        await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, headers: dict[bytes, bytes], receive: Receive) -> Answer:
        if self._stopping():
            return Problem(503, "stopping", "the shop is closing: come back", retry_after_s=1.0).answer()
        try:
            return await self._desk.place(headers, await _read(receive))
        except Problem as refusal:
            return refusal.answer()
        except Exception as error:  # whatever broke inside, the client gets a problem like everywhere else
            self._broken(error)
            return as_problem(error).answer()

    def _broken(self, error: Exception) -> None:
        self._signals.emit("http.failed", edge="api", path=ROUTE, error=f"{type(error).__name__}: {error}"[:500])


async def _read(receive: Receive) -> bytes:
    """The whole body. Raises 413, what is left isn't read; and 400 when the client went before it had sent all."""
    body, more = b"", True
    while more and len(body) <= MOST_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "bad-request", "the body is cut off")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if len(body) > MOST_BODY_BYTES:
        raise Problem(413, "body-too-large", f"a body has at most {MOST_BODY_BYTES} bytes")
    return body
