"""Portable statements as PostgreSQL takes them: `:name` becomes `$1`, `$2` … in the order of the names' first use."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from amends.connections import Params, Value

# What holds no parameter, whatever colons it has: literals, quoted names, comments, casts.
OPAQUE = r"""(?P<opaque> \b[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/ | :: )"""
NAMED = r":(?P<name>[A-Za-z_]\w*)"
_PIECE = re.compile(f"{OPAQUE} | {NAMED}", re.VERBOSE | re.DOTALL)
_ORDERED_JOIN = re.compile(r"\bcross\s+join(?=(\s+\w+){1,3}\s+on\b)", re.IGNORECASE)
_LOCKED = ' order by keys.key collate "C" for no key update'


class Statement(NamedTuple):
    """A statement with numbered parameters, and the names that they had."""

    text: str
    names: tuple[str, ...]

    def arguments(self, params: Params) -> Sequence[Value]:
        """The values in the order of the numbers."""
        return [params[name] for name in self.names] if isinstance(params, Mapping) else params


@cache
def numbered(sql: str) -> Statement:
    """
    >>> numbered("select :a::text, ':b' where :a = :c")
    Statement(text="select $1::text, ':b' where $1 = $2", names=('a', 'c'))
    """
    numbers: dict[str, int] = {}

    def replaced(piece: re.Match[str]) -> str:
        name = piece["name"]
        return piece[0] if name is None else f"${numbers.setdefault(name, len(numbers) + 1)}"

    return Statement(_PIECE.sub(replaced, sql), tuple(numbers))


def keys_named(name: str) -> str:
    """A table of keys for a statement's `with`, given as the parameter of that name.

    >>> keys_named("sagas")
    'sagas(key) as (select unnest(:sagas::text[]) limit (select 1000000000))'
    """
    return f"{name}(key) as (select unnest(:{name}::text[]) limit (select 1000000000))"


@cache
def each(sql: str) -> Statement:
    """A plain select with a table `keys(key)` in front, as its only parameter.

    The limit lets the planner think of one key, whatever the tables have grown to since it planned: then it looks each
    key up in an index (docs/decisions/19). SQLite's `cross join … on`, a join whose order is kept, is a plain one here.
    """
    return numbered(f"with {keys_named('keys')} {_ORDERED_JOIN.sub('join', sql)}")


@cache
def locked(sql: str) -> Statement:
    """The same, locking what it finds in the order of the keys. References to the rows, by foreign keys, may go on."""
    return each(sql + _LOCKED)
