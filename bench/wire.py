"""HTTP/1.1 as small as a load generator can afford: one request at a time on a connection that stays open."""

import asyncio
from collections.abc import Callable
from typing import cast

Answered = Callable[["Connection", int, int], None]
Lost = Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """Sends bytes, and tells `answered` the status and the `Retry-After` seconds (0: none) of the answer to them.

    Understands answers with a `Content-Length` only: those of the shop. `began` and `nth` belong to its user.
    """

    __slots__ = ("_answered", "_lost", "_received", "_transport", "began", "busy", "nth")

    def __init__(self, answered: Answered, lost: Lost) -> None:
        self._answered = answered
        self._lost = lost
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.began = 0.0
        self.nth = 0
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._lost(self)

    def send(self, request: bytes, began: float) -> None:
        self.began = began
        self.busy = True
        if self._transport is not None:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0 or len(received) < end + 4 + _header(received, end, b"content-length:"):
            self._received = received
            return
        self._received = b""
        self.busy = False
        status = int(received[9:12])
        self._answered(self, status, _header(received, end, b"retry-after:") if status == 503 else 0)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _header(received: bytes, end: int, name: bytes) -> int:
    """The number in a header, 0 when it is missing."""
    at = received.find(name, 0, end)
    if at < 0:
        at = received[:end].lower().find(name)
    if at < 0:
        return 0
    stop = received.find(b"\r\n", at)
    return int(received[at + len(name) : stop])
