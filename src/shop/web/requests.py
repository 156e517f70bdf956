"""Bodies are read as JSON whatever their `Content-Type` says, strictly: no `"5"` for 5."""

from functools import cache
from typing import Any

import msgspec
from litestar import Request

from shop.web.problems import Problem

MOST_BODY_BYTES = 64 * 1024


class StrictRequest(Request[Any, Any, Any]):
    """Decodes straight into the type that the handler wants."""

    async def json(self) -> Any:
        """Raises 400, naming the field."""
        body = await self.body()
        field = self.route_handler.parsed_data_field
        return decode(body, object if field is None else field.annotation)


def decode(body: bytes, wanted: Any) -> Any:
    """The body as `wanted`, a type that msgspec knows. Raises 400, naming the field."""
    try:
        return _decoder(wanted).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, "bad-request", f"the body is not as it has to be: {error}") from error
    except RecursionError as error:
        raise Problem(400, "bad-request", "the body is nested too deeply") from error


@cache
def _decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(wanted)
