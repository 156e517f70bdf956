"""Portable statements become PostgreSQL's, one by one and for sets; no server is needed for that."""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from amends.adapters.postgres.connection import changed
from amends.adapters.postgres.sets import on_sets
from amends.adapters.postgres.statements import each, locked, numbered
from amends.adapters.postgres.storage import database_of

SOURCES = Path(__file__).parents[3] / "src"
ONE = "limit (select 1000000000)"


@pytest.mark.parametrize(
    ("sql", "text", "names"),
    [
        ("select 1", "select 1", ()),
        ("select :a, :b, :a", "select $1, $2, $1", ("a", "b")),
        ("select :before_it", "select $1", ("before_it",)),
        ("select ':a', :a", "select ':a', $1", ("a",)),
        ("select 'it''s :a', :b", "select 'it''s :a', $1", ("b",)),
        (r"select e'\':a', :b", r"select e'\':a', $1", ("b",)),
        ("select x like'%:a', :b", "select x like'%:a', $1", ("b",)),
        ('select ":a", :b', 'select ":a", $1', ("b",)),
        ("select :a::text, b::bigint", "select $1::text, b::bigint", ("a",)),
        ("select 1 -- :a\n, :b", "select 1 -- :a\n, $1", ("b",)),
        ("select /* :a\n */ :b", "select /* :a\n */ $1", ("b",)),
        ("select x[1:2], :b", "select x[1:2], $1", ("b",)),
    ],
)
def test_names_become_numbers_in_the_order_of_their_first_use(sql: str, text: str, names: tuple[str, ...]) -> None:
    assert numbered(sql) == (text, names)


def test_arguments_come_by_name_or_as_they_are() -> None:
    statement = numbered("select :b, :a, :b")
    assert statement.arguments({"a": 1, "b": 2, "c": 3}) == [2, 1]
    assert statement.arguments((2, 1)) == (2, 1)


def test_keys_are_one_parameter() -> None:
    assert each("select id from keys join sagas on id = key") == (
        f"with keys(key) as (select unnest($1::text[]) {ONE}) select id from keys join sagas on id = key",
        ("keys",),
    )


@pytest.mark.parametrize("joined", ["sagas", "sagas s", "sagas as s"])
def test_join_whose_order_sqlite_keeps_is_a_plain_join(joined: str) -> None:
    assert each(f"select 1 from keys cross join {joined} on id = key").text.endswith(f"keys join {joined} on id = key")
    assert "cross join sagas where" in each("select 1 from keys cross join sagas where id = key").text


def test_rows_are_locked_in_the_order_of_their_keys() -> None:
    assert locked("select 1 from keys join t on id = key").text.endswith(
        ' on id = key order by keys.key collate "C" for no key update'
    )


def test_rows_written_are_counted() -> None:
    assert [changed(status) for status in ("INSERT 0 3", "UPDATE 2", "DELETE 0", "MERGE 4")] == [3, 2, 0, 4]
    assert [changed(status) for status in ("SELECT 7", "CREATE TABLE", "BEGIN")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("dsn", "name"),
    [
        ("postgresql://ann:s3cret@db:5432/orders?sslmode=require", "orders"),
        ("postgresql://db/t%C3%BCr", "tür"),
        ("postgresql://db", ""),
    ],
)
def test_database_is_named_by_its_dsn(dsn: str, name: str) -> None:
    assert database_of(dsn) == name


ROWS = "unnest($1::text[], $2::int8[]) as given(p_a, p_b)"


@pytest.mark.parametrize(
    ("sql", "derived"),
    [
        (
            "insert into t (a, b) values (:a, :b)",
            f"insert into t (a, b) select given.p_a, given.p_b from {ROWS}",
        ),
        (
            "insert into t (a, b, c) values (:a, 'x(:b)', coalesce(:b, 0)) on conflict (a) do nothing",
            "insert into t (a, b, c) select given.p_a, 'x(:b)', coalesce(given.p_b, 0) "
            f"from {ROWS} on conflict (a) do nothing",
        ),
        (
            "Insert Into t (a, b) Values (:a, :b) on conflict (a) do update set b = t.b + excluded.b where t.b > 1",
            f"Insert Into t (a, b) select given.p_a, given.p_b from {ROWS} "
            "on conflict (a) do update set b = t.b + excluded.b where t.b > 1",
        ),
        (
            "update t set b = b + :a where a = :a and (b > :b or b in (select b from u where c = :a))",
            f"update t set b = b + given.p_a from (select * from {ROWS} {ONE}) as given "
            "where a = given.p_a and (b > given.p_b or b in (select b from u where c = given.p_a))",
        ),
        (
            "delete from t where a = :a and b = :b::bigint",
            f"delete from t using (select * from {ROWS} {ONE}) as given where a = given.p_a and b = given.p_b::bigint",
        ),
    ],
)
def test_statement_on_one_row_becomes_one_on_all(sql: str, derived: str) -> None:
    assert on_sets(sql, ["text", "int8"]) == derived


@pytest.mark.parametrize(
    "sql",
    [
        "insert into t (a) values (:a), (:b)",
        "insert into t (a) values (:a) returning a",
        "insert into t (a) values (:a) on conflict (a) do update set a = :a",
        "insert into t (a) select :a",
        "insert into t (a) values ('x')",
        "insert into t default values",
        "update t set a = :a",
        "update t set a = :a from u where t.b = u.b",
        "update t set a = :a where b = :b returning a",
        "delete from t",
        "delete from t using u where t.a = u.a and u.b = :b",
        "with u as (select 1) update t set a = :a where b = 1",
        "select :a",
        "",
    ],
)
def test_statement_of_another_form_stays_on_one_row(sql: str) -> None:
    assert on_sets(sql, ["text"] * len(numbered(sql).names)) is None


def test_arrays_stay_on_one_row() -> None:
    assert on_sets("delete from t where a = any(:a)", ["text[]"]) is None


def run_many_statements() -> Iterator[tuple[str, str]]:
    """Where `run_many` is called in the library and in the shop, and with which statement."""
    for path in sorted(SOURCES.rglob("*.py")):
        if not {"sqlite", "conformance", "testing"} & set(path.parts):
            module = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run_many":
                    yield f"{module}:{node.lineno}", statement_of(module, node.args[0])


def statement_of(module: str, argument: ast.expr) -> str:
    match argument:
        case ast.Name(name):
            return str(getattr(importlib.import_module(module), name))
        case ast.Attribute(ast.Name(holder), name):
            return str(getattr(getattr(importlib.import_module(module), holder), name))
    raise AssertionError(f"{module}: {ast.unparse(argument)}: name the statement, so that it can be looked at")


def test_everything_that_is_written_in_numbers_runs_on_sets() -> None:
    found = dict(run_many_statements())
    assert len(found) > 20
    one_by_one = [where for where, sql in found.items() if on_sets(sql, ["text"] * len(numbered(sql).names)) is None]
    assert one_by_one == []
