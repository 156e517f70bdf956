"""Bodies are read as JSON whatever their `Content-Type` says, strictly: no `"5"` for 5.

No request may have U+0000 in it: PostgreSQL keeps no text that has, and what one database refuses all have to.
"""

import re
from functools import cache
from typing import Any

import msgspec
from litestar import Request

from shop.web.problems import Problem

MOST_BODY_BYTES = 64 * 1024

_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class StrictRequest(Request[Any, Any, Any]):
    """Decodes straight into the type that the handler wants."""

    async def json(self) -> Any:
        """Raises 400, naming the field."""
        body = await self.body()
        field = self.route_handler.parsed_data_field
        return decode(body, object if field is None else field.annotation)


def check_address(request: Request[Any, Any, Any]) -> None:
    """Raises 400 for U+0000 in path or query, 404 for a number in the path that is not written as numbers are."""
    path: str = request.scope["path"]
    if "\0" in path or b"%00" in request.scope["query_string"]:
        raise _nul("address")
    numbers = {str(each) for each in request.path_params.values() if isinstance(each, int)}
    if not numbers <= {*path.split("/")}:
        raise Problem(404, "not-found", "there is nothing here: a number is written in the digits 0 to 9")


def decode(body: bytes, wanted: Any) -> Any:
    """The body as `wanted`, a type that msgspec knows. Raises 400, naming the field."""
    if b"\\u0000" in body and _ESCAPED_NUL.search(body):
        raise _nul("body")
    try:
        return _decoder(wanted).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "bad-request", f"the body is not as it has to be: {error}") from error
    except RecursionError as error:
        raise Problem(400, "bad-request", "the body is nested too deeply") from error


@cache
def _decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)


def _nul(where: str) -> Problem:
    return Problem(400, "bad-request", f"the {where} has the character U+0000 in it, which no text may have")
