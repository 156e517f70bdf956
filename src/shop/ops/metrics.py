"""`/metrics`: what Prometheus reads. What is counted is the library's (`amends.adapters.prometheus`)."""

from typing import Protocol

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meter(Protocol):
    """Knows the figures."""

    async def render(self) -> bytes:
        """As Prometheus text."""


def route(meter: Meter) -> HTTPRouteHandler:
    """`/metrics`, which needs no token."""

    @get("/metrics", media_type="text/plain")
    async def metrics() -> Response[bytes]:
        """Prometheus text."""
        return Response(await meter.render(), media_type=MEDIA_TYPE)

    return metrics
