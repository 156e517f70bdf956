"""The page on PostgreSQL names the settings, defaults and tables that there are."""

import re

from amends.adapters.postgres import PoolOptions
from amends.adapters.postgres.pool import SETTINGS
from amends.adapters.postgres.schema import LIBRARY
from tests.docs.pages import ROOT, text

PAGE = text(ROOT / "docs" / "reference" / "postgresql.md")


def test_session_settings_are_those_that_are_set() -> None:
    assert dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|$", PAGE, re.MULTILINE)) == SETTINGS


def test_options_have_the_defaults_that_are_told() -> None:
    told = re.findall(r"^\| `options\.(\w+)` \| .* \| ([\d.]+) \|$", PAGE, re.MULTILINE)
    assert {name: float(default) for name, default in told} == PoolOptions()._asdict()


def test_every_table_is_named() -> None:
    created = [
        found[1]
        for migration in LIBRARY
        for statement in migration.statements
        if (found := re.match(r"\s*create table (\w+)", statement))
    ]
    assert sorted([*created, "schema_versions"]) == sorted(
        re.findall(r"`(\w+)`", PAGE.rpartition("**Tables.**")[2])[:11]
    )
