"""ASGI, where there is no framework around it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from shop.web.problems import Answer, Problem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def read_body(receive: Receive, most: int | float) -> bytes:
    """The whole body. Raises 413, what is left isn't read; and 400 when the client went before it had sent all."""
    chunks: list[bytes] = []
    length, more = 0, True
    while more and length <= most:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "bad-request", "the body is cut off")
        chunks.append(message.get("body", b""))
        length += len(chunks[-1])
        more = message.get("more_body", False)
    if length > most:
        raise Problem(413, "body-too-large", f"a body has at most {most} bytes")
    return b"".join(chunks)


async def send_answer(send: Send, answer: Answer) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    await send({"type": "http.response.start", "status": answer.status, "headers": [*answer.headers, length]})
    await send({"type": "http.response.body", "body": answer.body})
