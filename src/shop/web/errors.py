"""Turns what handlers raise into problem details. Nothing that went wrong inside is shown."""

from litestar import Request, Response
from litestar.datastructures import State
from litestar.exceptions import HTTPException, ValidationException

from amends.errors import (
    AmendsError,
    Conflict,
    Elsewhere,
    Fenced,
    KeyInUse,
    KeyReused,
    Overloaded,
    TryTransactionAgain,
    Unavailable,
)
from amends.signals import Signals
from shop.web.problems import Answer, Problem
from shop.web.traces import TRACEPARENT, remember

_NAMES = {
    400: "bad-request",
    401: "not-signed-in",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
}
_NO_BODY = [{"message": "'data'", "key": "data", "source": "body"}]


class Refuser:
    """Makes the answer to an exception; what nobody expected is told as a signal."""

    def __init__(self, edge: str, signals: Signals | None) -> None:
        self._edge = edge
        self._signals = signals

    def __call__(self, request: Request[object, object, State], error: Exception) -> Response[bytes]:
        """A request that found no handler has not been remembered yet."""
        remember(request.headers.get("traceparent"))
        refusal = as_problem(error)
        if refusal.name == "internal-error" and self._signals is not None:
            named = f"{type(error).__name__}: {error}"[:500]
            where = {"edge": self._edge, "path": request.scope["path"]}
            self._signals.emit("http.failed", **where, error=named, traceparent=TRACEPARENT.get())
        answer = refusal.answer()
        extra = error.headers if isinstance(error, HTTPException) else None
        return respond(answer, {name.lower(): value for name, value in (extra or {}).items()})


def as_problem(error: Exception) -> Problem:
    """The problem that an exception stands for; anything unknown is a 500."""
    match error:
        case Problem():
            return error
        case ValidationException():
            return Problem(400, "bad-request", _named_fields(error))
        case HTTPException() if error.status_code < 500:
            return Problem(error.status_code, _NAMES.get(error.status_code, "refused"), error.detail)
        case AmendsError():
            return _of_library(error)
        case _:
            return _internal()


def _of_library(error: AmendsError) -> Problem:
    match error:
        case KeyReused():
            return Problem(422, "key-reused", str(error))
        case KeyInUse():
            return Problem(409, "key-in-use", str(error), retry_after_s=error.retry_after_s)
        case Conflict():
            return Problem(409, "conflict", "somebody else was faster: ask again", retry_after_s=1.0)
        case Overloaded():
            return Problem(503, "overloaded", "too much is in flight: come back", retry_after_s=error.retry_after_s)
        case Elsewhere() | Fenced() | TryTransactionAgain() | Unavailable():
            return Problem(503, "overloaded", "this can't be done right now: ask again", retry_after_s=1.0)
        case _:
            return _internal()


def _internal() -> Problem:
    return Problem(500, "internal-error", "something broke on our side; it has been noted")


def respond(answer: Answer, extra: dict[str, str] | None = None) -> Response[bytes]:
    """An answer as Litestar wants it."""
    headers = {name.decode(): value.decode() for name, value in answer.headers} | (extra or {})
    media_type = headers.pop("content-type", "application/json")
    return Response(answer.body, status_code=answer.status, headers=headers, media_type=media_type)


def _named_fields(error: ValidationException) -> str:
    if error.extra == _NO_BODY:
        return "the body is missing"
    wrong = error.extra if isinstance(error.extra, list) else []
    named = [f"{each.get('key', '')}: {each.get('message', '')}" for each in wrong if isinstance(each, dict)]
    return "; ".join(named) or error.detail
