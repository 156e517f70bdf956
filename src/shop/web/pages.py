"""Lists: at most 100 at a time, and where to go on."""

from typing import Annotated

from litestar.params import QueryParameter

MOST = 100

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="how many at most")]
After = Annotated[str, QueryParameter(max_length=200, description="the last one that you have seen")]
