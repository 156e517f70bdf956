"""Problem details (RFC 9457): how every edge says no. Needs no web framework.

`type` is `/problems/<name>`, relative to the API's own address, and stable: clients may branch on it.
"""

from typing import NamedTuple

import msgspec

from amends.traces import trace_id
from shop.web.traces import TRACEPARENT

MEDIA_TYPE = "application/problem+json"
SAFE_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_encode = msgspec.json.Encoder().encode
_HEADERS = [(b"content-type", MEDIA_TYPE.encode())] + [(k.encode(), v.encode()) for k, v in SAFE_HEADERS.items()]


class ProblemDetails(msgspec.Struct, omit_defaults=True):
    """The body of an error."""

    type: str
    title: str
    status: int
    detail: str
    saga_id: str = ""
    trace_id: str = ""


class Answer(NamedTuple):
    """A response as ASGI wants it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Problem(Exception):
    """Raised by a handler that says no: `name` is the problem's stable name, like `out-of-stock`."""

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        title: str = "",
        retry_after_s: float | None = None,
        saga_id: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.title = title or name.replace("-", " ").capitalize()
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.saga_id = saga_id

    def answer(self) -> Answer:
        members = {"saga_id": self.saga_id, "trace_id": trace_id(TRACEPARENT.get())}
        return problem(
            self.status,
            self.name,
            self.title,
            self.detail,
            retry_after_s=self.retry_after_s,
            **{name: value for name, value in members.items() if value},
        )


def problem(
    status: int, name: str, title: str, detail: str, *, retry_after_s: float | None = None, **members: str
) -> Answer:
    """The response to a request that is refused; `retry_after_s` becomes `Retry-After`, in whole seconds from 1."""
    body = {"type": f"/problems/{name}", "title": title, "status": status, "detail": detail} | members
    headers = list(_HEADERS)
    if retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, -int(-retry_after_s // 1))))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="shop"'))
    if status == 413:
        headers.append((b"connection", b"close"))
    return Answer(status, headers, _encode(body))
