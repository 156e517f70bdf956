"""The card gateway over HTTP, in plain ASGI: it is asked for every order that is paid by card.

| request                               | answer                                                                    |
|---------------------------------------|---------------------------------------------------------------------------|
| `POST /authorizations`                | 201 taken, 402 declined, 409 voided before; 422 key of another body       |
| `POST /authorizations/{key}/capture`  | 200 captured; 409 in another state; 404 never seen                        |
| `POST /authorizations/{key}/void`     | 200 nothing is held, now and later, even when never seen; 409 captured    |
| `POST /authorizations/{key}/refund`   | 200 refunded; 409 in another state, never seen: refused from now on       |
| `GET /authorizations/{key}`           | 200; 404 never seen                                                       |
| `GET /healthz`, `GET /readyz`         | 200                                                                       |

`POST /authorizations` takes its key from the header `Idempotency-Key`. The body of 200, 201, 402 and 409 is a `Record`;
what was asked in a wrong way is answered with 400, 404, 405, 413.
"""

import re
from collections.abc import Awaitable, Callable

import msgspec

from amends.errors import Overloaded, Unavailable
from shop.payments.gateway import Gateway, Told
from shop.payments.gateway_wire import KEY_HEADER, Authorization
from shop.web.asgi import Receive, Scope, Send, read_body, send_answer
from shop.web.problems import Answer, Problem

_MOST_BYTES = 64 * 1024
_MOST_KEY = 200
_KEY = KEY_HEADER.lower().encode()
_KEYED = re.compile("/authorizations/([^/]+)(?:/(capture|void|refund))?")
_JSON = [(b"content-type", b"application/json")]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Authorization).decode
Work = Callable[[], Awaitable[Told]]


class GatewayApp:
    """An ASGI application in front of a started gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(scope, receive)
        except Problem as refusal:
            answer = refusal.answer()
        except (Overloaded, Unavailable) as error:
            answer = _shown(Told(503, None, str(error)))
        await send_answer(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        body = await read_body(receive, _MOST_BYTES)
        match scope["method"], scope["path"]:
            case "GET", "/healthz" | "/readyz":
                return Answer(200, _JSON, b'{"status":"ok"}')
            case "POST", "/authorizations":
                return await self._told(self._authorizing(dict(scope["headers"]), body))
            case method, path:
                return await self._told(self._asking(method, path))

    async def _told(self, work: Work) -> Answer:
        return _shown(await self._gateway.answer(work))

    def _authorizing(self, headers: dict[bytes, bytes], body: bytes) -> Work:
        key = headers.get(_KEY, b"").decode("latin-1")
        if not 0 < len(key) <= _MOST_KEY:
            raise Problem(400, "bad-request", f"send {KEY_HEADER}: 1 to {_MOST_KEY} characters")
        try:
            wanted = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Problem(400, "bad-request", f"the body is not as it has to be: {error}") from error
        return lambda: self._gateway.authorize(key, wanted)

    def _asking(self, method: str, path: str) -> Work:
        asked = _KEYED.fullmatch(path)
        if asked is None:
            raise Problem(404, "not-found", "there is nothing here")
        key, gateway = asked[1], self._gateway
        match method, asked[2]:
            case "GET", None:
                return lambda: gateway.status(key)
            case "POST", "capture":
                return lambda: gateway.capture(key)
            case "POST", "void":
                return lambda: gateway.void(key)
            case "POST", "refund":
                return lambda: gateway.refund(key)
            case _:
                raise Problem(405, "method-not-allowed", f"{method} is nothing that can be asked of {path}")


def _shown(told: Told) -> Answer:
    return Answer(told.status, _JSON, _encode({"detail": told.detail} if told.record is None else told.record))
