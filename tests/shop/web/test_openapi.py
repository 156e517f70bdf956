"""The OpenAPI document says what is true, and its page needs nobody else."""

import os
import re
import subprocess
import sys
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from amends.adapters.asyncio_runtime import AsyncioRuntime
from shop.web import Limit, build_app, open_to_all, signed_in
from tests.shop.web.edges import Edges, client_of

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sku: str


class Basket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lines: Annotated[tuple[Line, ...], msgspec.Meta(min_length=1)]


class Receipt(msgspec.Struct, frozen=True):
    number: str


MADE = ResponseSpec(Receipt, description="It is paid")


@post("/baskets", responses={202: MADE})
async def put_basket(data: JSONBody[Basket]) -> Basket:
    return data


@get("/baskets/{basket_id:str}")
async def one_basket(basket_id: FromPath[str]) -> Basket:
    return Basket((Line(basket_id),))


@get("/shelf")
async def baskets(limit: Limit = 10) -> list[Basket]:
    return []


async def document() -> dict[str, Any]:
    routes = [signed_in(put_basket), open_to_all(one_basket, baskets)]
    async with client_of(build_app(routes, title="Baskets", runtime=AsyncioRuntime())) as client:
        answer = await client.get("/api/openapi.json")
    found: dict[str, Any] = answer.json()
    return found


async def test_unknown_fields_are_said_to_be_refused() -> None:
    schemas = (await document())["components"]["schemas"]
    assert schemas["Basket"]["additionalProperties"] is False
    assert schemas["Line"]["additionalProperties"] is False
    assert schemas["Basket"]["properties"]["lines"]["items"] == {"$ref": "#/components/schemas/Line"}


async def test_refusals_follow_from_the_shape_of_a_request() -> None:
    paths = (await document())["paths"]
    assert set(paths["/baskets"]["post"]["responses"]) == {"201", "202", "400", "401", "413", "429"}
    assert set(paths["/baskets/{basket_id}"]["get"]["responses"]) == {"200", "400", "404", "429"}
    assert set(paths["/shelf"]["get"]["responses"]) == {"200", "400", "429"}
    for item in paths.values():
        for operation in item.values():
            for status, response in operation["responses"].items():
                assert status < "400" or list(response["content"]) == ["application/problem+json"]


async def test_only_what_needs_a_token_says_so() -> None:
    found = await document()
    assert found["components"]["securitySchemes"] == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert found["paths"]["/baskets"]["post"]["security"] == [{"bearer": []}]
    assert "security" not in found["paths"]["/shelf"]["get"]


async def test_all_of_the_api_is_described(edges: Edges) -> None:
    found = (await edges.client.get("/api/openapi.json")).json()
    for path in ("/api/users", "/api/sessions", "/api/wallet", "/api/wallet/deposits", "/api/wallet/entries"):
        assert path in found["paths"]
    assert "/api/openapi.json" not in found["paths"]


def test_document_is_made_without_the_makers_of_examples() -> None:
    probe = "import sys; print('faker' in sys.modules)"
    code = f"import asyncio\nfrom tests.shop.web.test_openapi import document\nasyncio.run(document())\n{probe}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout.strip() == "False"


async def test_page_brings_its_own_assets(edges: Edges) -> None:
    page = await edges.client.get("/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "//" not in page.text
    links = re.findall(r'(?:src|href|content)="(/[^"]+)"', page.text)
    assert len(links) == 5
    for link in links:
        answer = await edges.client.get(link)
        assert answer.status_code == 200, link
    assert (await edges.client.get("/api/docs/assets/LICENSE")).status_code == 404
