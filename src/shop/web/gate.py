"""Who may come in, and how often."""

from typing import NamedTuple, Protocol

from litestar import Request, Router
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from amends.ports import Runtime
from shop.web.problems import Problem
from shop.web.rates import Rates


class Principal(NamedTuple):
    """Who is signed in."""

    user_id: str
    email: str


class Verifier(Protocol):
    """Knows whose token it is."""

    def principal(self, authorization: bytes | str | None, now: float) -> Principal | None:
        """Takes the whole `Authorization` header; None when it doesn't let anybody in."""

    async def late_principal(self, authorization: bytes | str | None, now: float) -> Principal | None:
        """Looks again at what `principal` has refused, where that may have been too early."""


Member = Request[Principal, None, State]
Guest = Request[None, None, State]
Connection = ASGIConnection[BaseRouteHandler, Principal | None, None, State]


class Gate(NamedTuple):
    """What the guards of one edge need."""

    runtime: Runtime
    rates: Rates
    verifier: Verifier | None = None

    async def principal(self, authorization: bytes | str | None) -> Principal | None:
        """Who shows this header; None when it lets nobody in."""
        if self.verifier is None:
            return None
        now = self.runtime.now()
        found = self.verifier.principal(authorization, now)
        return found or await self.verifier.late_principal(authorization, now)

    async def let_in(self, authorization: bytes | str | None, address: str) -> Principal:
        """Who shows this header, counted. Raises 401, 429."""
        principal = await self.principal(authorization)
        if principal is None:
            self.pass_through(address)
            raise Problem(401, "not-signed-in", "sign in first: POST /api/sessions, then send Authorization: Bearer")
        self.pass_through(principal.user_id)
        return principal

    def pass_through(self, principal: str) -> None:
        """Counts a request. Raises 429."""
        wait = self.rates.take(principal, self.runtime.now())
        if wait:
            raise Problem(429, "too-many-requests", "you ask too often: wait a little", retry_after_s=wait)


def signed_in(*handlers: HTTPRouteHandler) -> Router:
    """Routes for whoever shows a token; `request.user` is the `Principal`."""
    return Router("/", route_handlers=handlers, guards=[_check_token], security=[{"bearer": []}])


def open_to_all(*handlers: HTTPRouteHandler) -> Router:
    """Routes that need no token; their rate is bounded by address."""
    return Router("/", route_handlers=handlers, guards=[_check_address])


def address_of(connection: Connection | Guest | Member) -> str:
    return connection.client.host if connection.client else ""


async def _check_token(connection: Connection, _: BaseRouteHandler) -> None:
    gate: Gate = connection.app.state.gate
    connection.scope["user"] = await gate.let_in(connection.headers.get("authorization"), address_of(connection))


async def _check_address(connection: Connection, _: BaseRouteHandler) -> None:
    gate: Gate = connection.app.state.gate
    gate.pass_through(address_of(connection))
