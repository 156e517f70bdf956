"""Answers calls of the shop's other processes: `POST /calls/{desk}/{method}` with the arguments as a JSON object.

| answer | when |
|---|---|
| 200 | the result, as JSON |
| 400, 413 | the arguments are not as the method takes them, or too long |
| 401, 403 | no token, or another one than the shop's processes have |
| 404, 405 | there is no such desk or method; it wasn't a `POST` |
| 409, 422, 503, … | what the room raised, as problem details with its name |
| 500 | something broke; told as the signal `http.failed` |
"""

import hmac
from collections.abc import Mapping

import msgspec

from amends.errors import AmendsError
from amends.signals import Signals
from shop.calls.errors import answer_of
from shop.calls.wire import Method, encode, methods_of
from shop.web.asgi import App, Receive, Scope, Send, read_body, send_answer
from shop.web.problems import Answer, Problem
from shop.web.traces import TRACEPARENT, remember

PREFIX = "/calls/"
MOST_CALL_BYTES = 16 * 1024 * 1024
_JSON = [(b"content-type", b"application/json")]


def serve(desks: Mapping[str, object], token: str, signals: Signals | None = None, behind: App | None = None) -> App:
    """An ASGI application; `desks` by name, `token` is what all of the shop's processes know.

    `behind` gets whatever isn't below `/calls/`.

        app = serve({"billing": BillingDesk(service), "billing.health": HealthDesk(service)}, token)
    """
    return Calls(desks, token, signals, behind or _nothing_else)


class Calls:
    """What `serve` gives."""

    def __init__(self, desks: Mapping[str, object], token: str, signals: Signals | None, behind: App) -> None:
        self._methods = {
            f"{PREFIX}{name}/{method}": (desk, found)
            for name, desk in desks.items()
            for method, found in methods_of(type(desk)).items()
        }
        self._token = token.encode()
        self._signals = signals
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._behind(scope, receive, send)
            return
        await send_answer(send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        """What the call itself does wrong names no error: it is the caller's fault, and nobody else's business."""
        try:
            headers = dict(scope["headers"])
            self._let_in(headers.get(b"authorization", b""))
            desk, method = self._find(scope)
            arguments = _arguments(method, await read_body(receive, MOST_CALL_BYTES))
        except Problem as wrong:
            return wrong.answer()
        remember(headers.get(b"traceparent"))
        return await self._result(scope["path"], desk, method, arguments)

    async def _result(self, path: str, desk: object, method: Method, arguments: msgspec.Struct) -> Answer:
        values = [getattr(arguments, name) for name in arguments.__struct_fields__]
        try:
            return Answer(200, _JSON, encode(await method.function(desk, *values)))
        except (Problem, AmendsError) as error:
            return answer_of(error)
        except Exception as error:  # whatever broke inside, the caller gets an answer
            self._tell(path, error)
            return Problem(500, "internal-error", "something broke; it has been noted").answer()

    def _let_in(self, authorization: bytes) -> None:
        scheme, space, token = authorization.partition(b" ")
        if not space or scheme.lower() != b"bearer":
            raise Problem(401, "not-signed-in", "only the shop's own processes may call")
        if not hmac.compare_digest(token.strip(), self._token):
            raise Problem(403, "wrong-token", "only the shop's own processes may call")

    def _find(self, scope: Scope) -> tuple[object, Method]:
        found = self._methods.get(scope["path"])
        if found is None:
            raise Problem(404, "not-found", f"nobody here answers {scope['path']}")
        if scope["method"] != "POST":
            raise Problem(405, "method-not-allowed", f"{scope['path']} takes POST")
        return found

    def _tell(self, path: str, error: Exception) -> None:
        if self._signals is not None:
            told = f"{type(error).__name__}: {error}"[:500]
            self._signals.emit("http.failed", edge="calls", path=path, error=told, traceparent=TRACEPARENT.get())


def _arguments(method: Method, body: bytes) -> msgspec.Struct:
    try:
        return method.decode_arguments(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "bad-request", f"{method.name}: {error}") from error


async def _nothing_else(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's shape
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
    elif scope["type"] == "http":
        await send_answer(send, Problem(404, "not-found", f"there is no {scope['path']}").answer())
