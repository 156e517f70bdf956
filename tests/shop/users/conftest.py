"""An API for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.shop.web.edges import Edges, open_edges


@pytest.fixture
async def edges(tmp_path: Path) -> AsyncIterator[Edges]:
    async with open_edges(tmp_path) as opened:
        yield opened
