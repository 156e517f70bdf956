"""The ASGI app under both kinds of endpoint: `POST /` with one message, or with a batch of them."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from amends.adapters.cloudevents import JSON
from amends.adapters.http import wire
from amends.adapters.http.answers import Answer, Response, answer_of, batch_of, response_of
from amends.adapters.http.problems import Rejected, rejected
from amends.errors import Fenced, Overloaded, Unavailable
from amends.messages import Envelope

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Take = Callable[[Sequence[Envelope]], Awaitable[Sequence[Answer]]]

_BY_STATUS = {405: [(b"allow", b"POST")], 413: [(b"connection", b"close")]}


class Gone(Exception):
    """The client has left before its request was complete."""


def endpoint(take: Take) -> App:
    """An ASGI app that gives what it is sent to `take`, which answers every message or raises `Rejected`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        if scope["type"] != "http":
            return
        try:
            await _respond(send, await _answer(take, scope, receive))
        except Gone:
            return

    return app


async def _answer(take: Take, scope: Scope, receive: Receive) -> Response:
    try:
        many = _wants_many(scope)
        body = await _read(receive, wire.MOST_BATCH_BYTES if many else wire.MOST_BYTES)
        messages = wire.read_batch(body) if many else [wire.read_one(scope["headers"], body)]
        answers = await take(messages)
    except Rejected as problem:
        return response_of(answer_of(problem))
    except Overloaded as error:
        return response_of(answer_of(rejected(503, "overloaded", str(error), error.retry_after_s)))
    except (Fenced, Unavailable) as error:
        return response_of(answer_of(rejected(503, "unavailable", str(error), retry_after_s=1.0)))
    return batch_of(messages, answers) if many else response_of(answers[0])


def _wants_many(scope: Scope) -> bool:
    """Checks all but the body; True for a batch. Raises `Rejected`."""
    if _path_within(scope).strip("/"):
        raise rejected(404, "not-found", f"messages are posted to /, not to {_path_within(scope)}")
    if scope["method"] != "POST":
        raise rejected(405, "method-not-allowed", f"messages are posted; {scope['method']} does nothing")
    headers = dict(scope["headers"])
    content_type: bytes = headers.get(b"content-type", JSON.encode())
    media = content_type.partition(b";")[0].strip().lower().decode("latin-1")
    if media not in (JSON, wire.BATCH):
        raise rejected(415, "unsupported-media-type", f"{media} is neither {JSON} nor {wire.BATCH}")
    return media == wire.BATCH


def _path_within(scope: Scope) -> str:
    """Frameworks differ in whether they leave the path of the mount in front."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


async def _read(receive: Receive, most: int) -> bytes:
    """Raises `Rejected`, `Gone`."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise rejected(413, "too-large", f"a body of this kind has at most {most} bytes")
        more = message.get("more_body", False)
    return b"".join(parts)


async def _respond(send: Send, response: Response) -> None:
    length = [(b"content-length", b"%d" % len(response.body))] if response.status != 204 else []
    headers = [*response.headers, *length, *_BY_STATUS.get(response.status, [])]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
