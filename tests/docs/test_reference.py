"""Every command, option, error, signal, metric, problem and test card is in the reference."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from amends import errors
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.logs import LEVELS
from amends.adapters.prometheus import Meter
from amends.signals import Signals
from shop import seeds
from shop.orders.domain import REASONS
from shop.payments import gateway_wire
from shop.storefronts.queue_saga.status import PENDING
from shop.web import errors as web_errors
from tests.docs import command_line
from tests.docs.pages import ROOT, text

ERRORS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.AmendsError)]
CARDS = [each for each in vars(gateway_wire).values() if isinstance(each, str) and each.isdecimal()]


def found_in_code(pattern: str) -> set[str]:
    """What a pattern's first group matches, anywhere in `src`."""
    sources = sorted((ROOT / "src").rglob("*.py"))
    return {name for source in sources for name in re.findall(pattern, source.read_text(encoding="utf-8"))}


def rows(page: str) -> Iterator[str]:
    """The names in the first column of the page's tables."""
    for cell in re.findall(r"^\| (`[^|]*) \|", text(page), re.MULTILINE):
        yield from re.findall(r"`([^`]+)`", cell)


def test_page_of_commands_says_what_the_commands_say() -> None:
    assert text(command_line.PAGE) == command_line.page(), "run: .venv/bin/python -m tests.docs.command_line"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_error_is_explained_under_its_parent(error: type[Exception]) -> None:
    assert f"| `{error.__name__}` | `{error.__mro__[1].__name__}` |" in text("docs/reference/errors.md")


def test_signals_are_those_that_the_code_emits() -> None:
    emitted = found_in_code(r'\.emit\(\s*"([\w.]+)"') | found_in_code(r'"(message\.\w+)" if ')
    emitted |= found_in_code(r' else "(message\.\w+)"')
    emitted.discard("hop.done")  # the example in the docstring of Signals

    assert {name for name in rows("docs/reference/signals.md") if not name.startswith("amends_")} == emitted


def test_metrics_are_those_that_the_meter_shows() -> None:
    shown = asyncio.run(Meter([], Signals(), AsyncioRuntime()).render()).decode()
    ours = {name for name in re.findall(r"^# TYPE (\w+) ", shown, re.MULTILINE) if name.startswith("amends_")}
    ours |= found_in_code(r'\.gauge\(\s*"(amends_\w+)"')  # those of adapters

    assert {name for name in rows("docs/reference/signals.md") if name.startswith("amends_")} == ours


def test_levels_of_log_lines_are_explained() -> None:
    section = text("docs/reference/signals.md").partition("## Log lines")[2].partition("\n## ")[0]

    assert [name for name in LEVELS if f"`{name}`" not in section] == []


def test_problems_are_those_that_the_edges_answer() -> None:
    answered = found_in_code(r'Problem\(\s*\d{3},\s*"([\w-]+)"') | found_in_code(r'Wrong\(\s*"([\w-]+)"')
    answered |= {*web_errors._NAMES.values(), "refused"}

    assert set(rows("docs/reference/http.md")) == answered


def test_reasons_of_a_rejected_order_are_explained() -> None:
    assert [reason for reason in sorted(REASONS) if f"`{reason}`" not in text("docs/reference/http.md")] == []


def test_test_cards_are_those_of_the_gateway() -> None:
    assert sorted(rows("docs/reference/cards.md")) == sorted(CARDS)


def test_demo_user_can_sign_in_as_the_page_says() -> None:
    page = text("docs/reference/http.md")

    assert f'"email":"{seeds.DEMO_EMAIL}","password":"{seeds.DEMO_PASSWORD}"' in page


def test_the_storefronts_own_decisions_are_written_down() -> None:
    assert f"`{PENDING}`" in text("docs/reference/http.md")
