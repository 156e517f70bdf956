"""Builds an edge: routes, problem details, limits, the OpenAPI document and its page."""

from collections.abc import Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.datastructures import State
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.types import Guard

from amends.ports import Runtime
from amends.signals import Signals
from shop.web import docs
from shop.web.errors import Refuser
from shop.web.gate import Gate, Verifier
from shop.web.problems import SAFE_HEADERS
from shop.web.rates import Rates
from shop.web.requests import MOST_BODY_BYTES, StrictRequest, check_address
from shop.web.traces import remember

Route = HTTPRouteHandler | ASGIRouteHandler | Router


def build_app(
    routes: Sequence[Route],
    *,
    title: str,
    runtime: Runtime,
    description: str = "",
    base: str = "/api",
    verifier: Verifier | None = None,
    rates: Rates | None = None,
    signals: Signals | None = None,
    docs_guards: Sequence[Guard] = (),
) -> Litestar:
    """An ASGI application. Its OpenAPI document is at `base`/openapi.json, the page at `base`/docs."""
    gate = Gate(runtime, rates or Rates(), verifier)
    app = Litestar(
        [*routes, docs.document(base, docs_guards)],
        request_class=StrictRequest,
        before_request=_check_and_remember,
        request_max_body_size=MOST_BODY_BYTES,
        exception_handlers={Exception: Refuser(title, signals)},
        response_headers=SAFE_HEADERS,
        openapi_config=docs.config(title, description, base, docs_guards),
        state=State({"gate": gate}),
        logging_config=None,
    )
    docs.without_examples(app)
    return app


async def _check_and_remember(request: Request[Any, Any, Any]) -> None:
    remember(request.headers.get("traceparent"))
    check_address(request)
