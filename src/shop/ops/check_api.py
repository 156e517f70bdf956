"""HTTP: is everything consistent?"""

from collections.abc import Awaitable, Callable

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from amends.audit import Finding

Check = Callable[[], Awaitable[list[Finding]]]


class FindingView(msgspec.Struct, frozen=True):
    """One invariant; `detail` names what breaks it."""

    name: str
    holds: bool
    figures: dict[str, int]
    detail: str


class Findings(msgspec.Struct, frozen=True):
    holds: bool
    checks: list[FindingView]


BROKEN = ResponseSpec(Findings, description="An invariant is broken")


async def examine(check: Check) -> Findings:
    found = await check()
    views = [FindingView(each.name, each.holds, dict(each.figures), each.detail) for each in found]
    return Findings(all(each.holds for each in found), views)


def routes(check: Check) -> list[HTTPRouteHandler]:
    """`/ops/check`."""

    @get("/ops/check", responses={503: BROKEN})
    async def checked() -> Response[Findings]:
        """Every invariant with its figures; 503 when one is broken."""
        findings = await examine(check)
        return Response(findings, status_code=200 if findings.holds else 503)

    return [checked]
