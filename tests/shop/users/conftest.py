"""An API for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.shop.desks import AFAR, HERE
from tests.shop.web.edges import Edges, open_edges


@pytest.fixture(params=[HERE, AFAR])
async def edges(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Edges]:
    async with open_edges(tmp_path, where=request.param) as opened:
        yield opened
