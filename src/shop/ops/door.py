"""Lets the operator in: by the token for programs, by a cookie for a browser that came through the sign-in link.

The token is made at the first start and kept in a file that only its owner can read. The cookie holds a digest of it,
so that what a browser keeps is no token.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from pathlib import Path

from litestar.handlers import BaseRouteHandler

from shop.web.gate import Connection, Gate, address_of
from shop.web.problems import Problem

COOKIE = "ops_session"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def load_token(path: Path, make: Callable[[], str]) -> str:
    """The token in the file; the first one comes from `make` and is kept with mode 0600."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(file, "w") as out:
        token = make()
        out.write(token + "\n")
    return token


class Door:
    """Knows the token; `guard` goes before every route of the operator's."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self.session = hashlib.sha256(b"amends console session\0" + self._token).hexdigest()

    def fits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)

    async def guard(self, connection: Connection, _: BaseRouteHandler) -> None:
        """Raises 401, 403 and 429."""
        scheme, space, token = connection.headers.get("authorization", "").partition(" ")
        if space and scheme.lower() == "bearer" and self.fits(token.strip()):
            return None
        if hmac.compare_digest(connection.cookies.get(COOKIE, "").encode(), self.session.encode()):
            return self._check_origin(connection)
        gate: Gate = connection.app.state.gate
        gate.pass_through(address_of(connection))
        raise Problem(401, "not-signed-in", "the operator's token is needed: see the link that `shop up` prints")

    def _check_origin(self, connection: Connection) -> None:
        """A browser sends the cookie along with whatever page it is on: only our own may change anything."""
        if connection.scope.get("method") in _READS:
            return
        site = connection.headers.get("sec-fetch-site")
        origin = connection.headers.get("origin", "")
        own = f"{connection.scope['scheme']}://{connection.headers.get('host', '')}"
        if origin != own if site is None else site != "same-origin":
            raise Problem(403, "foreign-page", "this request comes from another page")
