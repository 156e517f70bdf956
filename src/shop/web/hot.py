"""Busy routes go around the framework: plain ASGI in front of an edge, with the same checks and the same answers.

What the framework costs a request is a good part of an order (docs/decisions). A route here stays with the others of
the edge behind, for its description, and for whatever is not asked in the plainest way: with a query, say.

client ─▶ address or token, and how often ─▶ traceparent ─▶ body ─▶ the handler ─▶ answer, or a problem
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple, TypeVar, cast

import msgspec
from litestar import Litestar

from amends.signals import Signals
from shop.web.asgi import App, Receive, Scope, Send, read_body, send_answer
from shop.web.errors import as_problem
from shop.web.gate import Gate, Principal
from shop.web.problems import SAFE_HEADERS, Answer, Problem
from shop.web.requests import MOST_BODY_BYTES, decode
from shop.web.traces import TRACEPARENT, remember

JSON = (b"content-type", b"application/json")
_SAFE = {name.encode(): value.encode() for name, value in SAFE_HEADERS.items()}

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class HotRequest(NamedTuple):
    """`number` is the one in the path, 0 without; `principal` who is signed in, where the route wants that."""

    headers: Mapping[bytes, bytes]
    body: bytes
    number: int = 0
    principal: Principal | None = None

    def read(self, wanted: type[T]) -> T:
        """The body. Raises 400."""
        if not self.body:
            raise Problem(400, "bad-request", "the body is missing")
        read: T = decode(self.body, wanted)
        return read


class LetIn(Enum):
    """Who comes in, and who counts how often: the route's own handler, or the edge's gate."""

    BY_ADDRESS = "address"
    BY_TOKEN = "token"
    BY_HANDLER = "handler"


class HotRoute(NamedTuple):
    """A `POST`. `path` may have one group, of digits; `template` is the path as it is named in traces."""

    path: re.Pattern[str]
    template: str
    answer: Callable[[HotRequest], Awaitable[Answer]]
    let_in: LetIn = LetIn.BY_ADDRESS


class Hot:
    """An ASGI application around an edge of `build_app`, under the edge's title. Once it is `stopping` it refuses."""

    def __init__(
        self,
        behind: Litestar,
        routes: Sequence[HotRoute],
        title: str,
        signals: Signals | None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.behind = cast(App, behind)
        self._gate: Gate = behind.state.gate
        self._routes = routes
        self._title = title
        self._signals = signals
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["query_string"]:
            for route in self._routes:
                found = route.path.fullmatch(scope["path"])
                if found is not None:
                    scope["path_template"] = route.template
                    number = int(found[1]) if route.path.groups else 0
                    await send_answer(send, await self._answer(route, number, scope, receive))
                    return
        await self.behind(scope, receive, send)

    async def _answer(self, route: HotRoute, number: int, scope: Scope, receive: Receive) -> Answer:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        remember(headers.get(b"traceparent"))
        try:
            if self._stopping():
                raise Problem(503, "stopping", "the shop is closing: come back", retry_after_s=1.0)
            principal = await self._let_in(route, headers, scope)
            body = await read_body(receive, MOST_BODY_BYTES)
            answer = await route.answer(HotRequest(headers, body, number, principal))
        except Exception as error:  # whatever broke inside, the client gets a problem like everywhere else
            return self._refused(error, scope["path"])
        return answer._replace(headers=list((_SAFE | dict(answer.headers)).items()))

    async def _let_in(self, route: HotRoute, headers: Mapping[bytes, bytes], scope: Scope) -> Principal | None:
        """Raises 401, 429."""
        address = scope["client"][0] if scope.get("client") else ""
        if route.let_in is LetIn.BY_TOKEN:
            return await self._gate.let_in(headers.get(b"authorization"), address)
        if route.let_in is LetIn.BY_ADDRESS:
            self._gate.pass_through(address)
        return None

    def _refused(self, error: Exception, path: str) -> Answer:
        refusal = as_problem(error)
        if refusal.name == "internal-error" and self._signals is not None:
            named = f"{type(error).__name__}: {error}"[:500]
            trace = TRACEPARENT.get()
            self._signals.emit("http.failed", edge=self._title, path=path, error=named, traceparent=trace)
        return refusal.answer()


def in_json(status: int, body: object, *headers: tuple[bytes, bytes]) -> Answer:
    """An answer in JSON."""
    return Answer(status, [JSON, *headers], _encode(body))
