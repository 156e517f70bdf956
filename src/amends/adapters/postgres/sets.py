"""Statements on sets: what is written for one row runs once for all rows of a call.

    insert … values (…) …      insert … select … from unnest(…) as given(…) …
    update … set … where …     update … set … from (select … unnest(…)) as given where …
    delete from … where …      delete from … using (select … unnest(…)) as given where …

`given` holds the rows; each of its columns comes as one array. Pure: text in, text out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from amends.adapters.postgres.statements import NAMED, OPAQUE, numbered

_PIECE = re.compile(rf"{OPAQUE} | {NAMED} | (?P<word>[A-Za-z_]\w*) | [(),]", re.VERBOSE | re.DOTALL)
# The planner thinks of one row, and so of looking it up (docs/decisions/19).
_THINK_OF_ONE = "limit (select 1000000000)"


class Word(NamedTuple):
    """A word, bracket or comma outside of literals: where it stands, and within how many brackets."""

    text: str
    start: int
    end: int
    depth: int


def on_sets(sql: str, types: Sequence[str]) -> str | None:
    """The statement for all rows, its parameters arrays of `types` in the order of the names' first use.

    None when it is of another form than those above.
    """
    names = numbered(sql).names
    if not names or any(each.endswith("]") for each in types):
        return None
    words = [word for word in _words(sql) if word.depth == 0]
    given = _Given(names, types)
    match words[0].text if words else "":
        case "insert":
            return _insert(sql, words, given)
        case "update":
            return _with_rows(sql, words, "from", given)
        case "delete":
            return _with_rows(sql, words, "using", given)
    return None


class _Given:
    """The table of the rows: `unnest($1::text[], $2::int8[]) as given(p_id, p_count)`."""

    def __init__(self, names: Sequence[str], types: Sequence[str]) -> None:
        arrays = [f"${number}::{type}[]" for number, type in enumerate(types, 1)]
        self.rows = f"unnest({', '.join(arrays)}) as given({', '.join(f'p_{name}' for name in names)})"

    def read_in(self, sql: str) -> str:
        """The text with columns of `given` for its parameters."""

        def replaced(piece: re.Match[str]) -> str:
            return piece[0] if piece["name"] is None else f"given.p_{piece['name']}"

        return _PIECE.sub(replaced, sql)


def _insert(sql: str, words: Sequence[Word], given: _Given) -> str | None:
    """One row of values, whose parameters are used nowhere else."""
    at = _position(words, "values")
    if at is None or [word.text for word in words[at + 1 : at + 3]] != ["(", ")"]:
        return None
    opened, closed = words[at + 1], words[at + 2]
    head, values, tail = sql[: words[at].start], sql[opened.end : closed.start], sql[closed.end :]
    rest = [word.text for word in words[at + 3 :]]
    if rest[:1] == [","] or "returning" in rest or numbered(head + tail).names:
        return None
    return f"{head}select {given.read_in(values)} from {given.rows}{tail}"


def _with_rows(sql: str, words: Sequence[Word], joined: str, given: _Given) -> str | None:
    """`where` is there, and nothing that would come between."""
    texts = [word.text for word in words]
    at = _position(words, "where")
    if at is None or not {"from", "using", "returning"}.isdisjoint(texts[2:]):
        return None
    head, condition = sql[: words[at].start], sql[words[at].start :]
    rows = f"(select * from {given.rows} {_THINK_OF_ONE}) as given"
    return f"{given.read_in(head)}{joined} {rows} {given.read_in(condition)}"


def _position(words: Sequence[Word], wanted: str) -> int | None:
    return next((at for at, word in enumerate(words) if word.text == wanted), None)


def _words(sql: str) -> Iterator[Word]:
    """A bracket counts as outside of itself."""
    depth = 0
    for piece in _PIECE.finditer(sql):
        if piece["opaque"] or piece["name"]:
            continue
        depth -= piece[0] == ")"
        yield Word(piece[0].lower(), piece.start(), piece.end(), depth)
        depth += piece[0] == "("
