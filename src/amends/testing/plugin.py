"""For pytest: the fixture `explore`. Comes with the package; nothing has to be imported.

    def test_ticket(explore):
        explore(ticket_scenario, seeds=300)

`--amends-seeds N` takes another number of seeds for every test, `--amends-seed N` only that one.
"""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest


class Explore(Protocol):
    """`amends.testing.explore`, with a folder for the pictures of seeds that fail."""

    def __call__(self, saga: Any, *arguments: Any, **options: Any) -> Any: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("amends")
    group.addoption("--amends-seeds", type=int, default=None, metavar="N", help="how many seeds `explore` runs")
    group.addoption("--amends-seed", type=int, default=None, metavar="N", help="the only seed that `explore` runs")


@pytest.fixture
def explore(request: pytest.FixtureRequest, tmp_path: Path) -> Explore:
    """Runs a scenario for many seeds; fails with the shortest history that shows what is wrong."""
    from amends.testing.exploring import explore as run  # noqa: PLC0415 most test runs have no use for it

    fixed: dict[str, Any] = {}
    if (seeds := request.config.getoption("--amends-seeds")) is not None:
        fixed = {"seeds": seeds}
    if (seed := request.config.getoption("--amends-seed")) is not None:
        fixed = {"seeds": 1, "first": seed}
    explored = partial(run, folder=tmp_path)
    return lambda saga, *arguments, **options: explored(saga, *arguments, **{**options, **fixed})
