"""Every row of the report can be measured. Says nothing about how fast."""

import json
import math
from pathlib import Path

import pytest

from bench import storefronts
from bench.__main__ import BEGIN, END, main, put_table
from bench.figures import Row, Scale
from bench.rows import ROWS

TINY = 0.001
EVERY = (*ROWS, *storefronts.ROWS)
DIFFERENT = {"limits", "generator", "inprocess", "dbos", "http", "two-phase"}
"""The others are measured by the same functions, with other figures."""


def _marks(row: Row) -> tuple[pytest.MarkDecorator, ...]:
    return () if row.name in DIFFERENT else (pytest.mark.long,)


@pytest.mark.bench
@pytest.mark.parametrize("row", [pytest.param(row, id=row.name, marks=_marks(row)) for row in EVERY])
def test_row_gives_each_of_its_figures(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    values = row.measure(Scale(TINY))
    assert set(values) == {figure.key for figure in row.figures}
    assert all(math.isfinite(value) for value in values.values())


@pytest.mark.bench
def test_report_holds_every_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    main(["--only", "generator", "--scale", str(TINY), "--runs", "2", "--json", str(report)])
    assert len(json.loads(report.read_bytes())["rows"]["generator"]["rate"]) == 2
    assert "load generator" in capsys.readouterr().out


def test_table_replaces_the_one_before_in_its_page() -> None:
    page = put_table(f"top\n{BEGIN}\nold\n{END}\nbottom", "new")
    assert page == f"top\n{BEGIN}\nnew\n{END}\nbottom"


def test_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="put them where the table belongs"):
        put_table("top", "new")


def test_rows_and_figures_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert len({figure.key for figure in row.figures}) == len(row.figures)
