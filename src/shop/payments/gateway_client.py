"""The card gateway as payments sees it, over HTTP/1.1.

A connection a call, on asyncio's streams and the parser that the servers use anyway: a full HTTP client costs 180 ms
and 9 MB at start, for a handful of calls that need no pool, no redirects and no cookies.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote, urlsplit

import httptools
import msgspec

from amends.ports import Runtime
from shop.payments.domain import PaymentState, Wish
from shop.payments.gateway_wire import KEY_HEADER, Authorization, Record
from shop.payments.tables import CardOperation

_MOST_BYTES = 64 * 1024
_UNKNOWN = (OSError, EOFError, httptools.HttpParserError, msgspec.DecodeError)

_decode = msgspec.json.Decoder(Record).decode


class HttpGateway:
    """Asks the gateway at `url`; None from any call means: unknown, whatever the reason.

    `timeout_s` bounds one call from connecting to the last byte.
    """

    def __init__(self, url: str, runtime: Runtime, timeout_s: float = 3.0) -> None:
        self._url = urlsplit(url)
        self._runtime = runtime
        self._timeout_s = timeout_s

    async def carry_out(self, wanted: CardOperation) -> PaymentState | None:
        """Asks for an operation; returns what has become of the payment, which may be something else."""
        key = quote(wanted.payment_id, safe="")
        if wanted.wish is Wish.AUTHORIZE:
            body = msgspec.json.encode(Authorization(wanted.card or "", wanted.amount_minor))
            return await self._call("POST", "/authorizations", body, f"{KEY_HEADER}: {key}\r\n")
        return await self._call("POST", f"/authorizations/{key}/{wanted.wish}")

    async def status(self, payment_id: str) -> PaymentState | None:
        """What has become of a payment; None also when the gateway has never seen it."""
        return await self._call("GET", f"/authorizations/{quote(payment_id, safe='')}")

    async def _call(self, method: str, path: str, body: bytes = b"", headers: str = "") -> PaymentState | None:
        head = (
            f"{method} {self._url.path.rstrip('/')}{path} HTTP/1.1\r\nHost: {self._url.netloc}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        )
        answers: list[PaymentState] = []
        await self._within(self._exchange(head.encode() + body, answers))
        return answers[0] if answers else None

    async def _exchange(self, request: bytes, answers: list[PaymentState]) -> None:
        try:
            status, body = await self._send(request)
            if status < 500 and status != 404:
                answers.append(PaymentState(_decode(body).state))
        except _UNKNOWN:
            return

    async def _send(self, request: bytes) -> tuple[int, bytes]:
        secure = self._url.scheme == "https"
        port = self._url.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(self._url.hostname, port, ssl=secure or None)
        try:
            writer.write(request)
            return await _read_answer(reader)
        finally:
            writer.close()

    async def _within(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` for at most `timeout_s` seconds."""
        task = self._runtime.spawn(work, "card gateway call")

        async def give_up() -> None:
            await self._runtime.sleep(self._timeout_s)
            task.cancel()

        timer = self._runtime.spawn(give_up(), "card gateway timeout")
        try:
            await task.join()
        finally:
            task.cancel()
            timer.cancel()


class _Answer:
    """What the parser tells."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body. Raises `EOFError` for an answer that is cut off, or too long."""
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    while not answer.complete:
        chunk = await reader.read(_MOST_BYTES)
        if not chunk or len(answer.body) > _MOST_BYTES:
            raise EOFError("the gateway's answer has no end")
        parser.feed_data(chunk)
    return parser.get_status_code(), answer.body
