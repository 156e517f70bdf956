"""The OpenAPI document and its page, with the page's own assets: nothing comes from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.params import FromPath
from litestar.routes import HTTPRoute
from litestar.types import Guard

from shop.web.openapi import true_document
from shop.web.problems import SAFE_HEADERS, Problem

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_START = """
const url = document.querySelector("meta[name=openapi]").content;
window.onload = () => SwaggerUIBundle({url, dom_id: "#swagger-ui", deepLinking: true});
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="openapi" content="{base}/openapi.json">
<title>{title}</title>
<link rel="icon" type="image/png" href="{base}/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="{base}/docs/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{base}/docs/assets/swagger-ui-bundle.js"></script>
<script src="{base}/docs/assets/start.js"></script>
</body>
</html>
"""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'"
)


class _Page(OpenAPIRenderPlugin):
    """The page at the router's root."""

    def __init__(self, base: str) -> None:
        super().__init__(path="/")
        self._base = base

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the plugin's shape
        return _PAGE.format(base=self._base, title=openapi_schema["info"]["title"]).encode()


def config(title: str, description: str, base: str, guards: Sequence[Guard]) -> OpenAPIConfig:
    """The page below `base`/docs."""
    headers = SAFE_HEADERS | {"content-security-policy": _POLICY}
    router = Router(
        f"{base}/docs", route_handlers=[asset], guards=guards, response_headers=headers, include_in_schema=False
    )
    return OpenAPIConfig(
        title,
        "1",
        description=description,
        openapi_router=router,
        render_plugins=[_Page(base)],
        use_handler_docstrings=True,
    )


def document(base: str, guards: Sequence[Guard]) -> HTTPRouteHandler:
    """The route of the document itself."""

    @get(f"{base}/openapi.json", guards=guards, include_in_schema=False, sync_to_thread=False)
    def openapi_json(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return true_document(request.app.openapi_schema.to_schema())

    return openapi_json


def without_examples(app: Litestar) -> None:
    """Made-up examples would load libraries that take more memory than the whole API."""
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            for spec in (handler.responses or {}).values():
                spec.generate_examples = False


@get("/assets/{name:str}", sync_to_thread=False)
def asset(name: FromPath[str]) -> Response[bytes]:
    """A file of the page."""
    if name == "start.js":
        return Response(_START.encode(), media_type="text/javascript")
    if name not in _ASSETS:
        raise Problem(404, "not-found", f"there is no asset {name!r}")
    return Response(_read(name), media_type=_ASSETS[name], headers={"cache-control": "max-age=3600"})


def _read(name: str) -> bytes:
    from importlib.metadata import distribution  # noqa: PLC0415 - only who looks at the page pays for it

    path = distribution("flask-swagger-ui").locate_file("flask_swagger_ui/dist")
    return Path(str(path), name).read_bytes()
