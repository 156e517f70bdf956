"""Any value of a type that a desk takes or gives, for hypothesis: drawn from what msgspec knows of the type."""

from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from amends.history import Entry, History

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_SIMPLE: dict[type, Any] = {
    inspect.NoneType: st.none(),
    inspect.BoolType: st.booleans(),
    inspect.IntType: st.integers(-(2**63), 2**63 - 1),
    inspect.FloatType: _FINITE,
    inspect.StrType: st.text(),
    inspect.BytesType: st.binary(),
}
_ENTRIES = st.lists(st.builds(Entry, _FINITE, st.integers(-1, 20), st.text(), st.text()), max_size=20)


def any_of(hint: Any) -> Any:
    """A strategy for values of an annotation."""
    return _strategy(inspect.type_info(hint))


def any_struct(kind: type[msgspec.Struct]) -> Any:
    """A strategy for the values of a struct's fields, in their order."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return st.tuples(*(_strategy(each.type) for each in info.fields))


def _strategy(info: inspect.Type) -> Any:  # noqa: PLR0911 - one line a kind of type
    match info:
        case inspect.StructType(cls=made, fields=fields) | inspect.NamedTupleType(cls=made, fields=fields):
            return st.builds(made, *(_strategy(each.type) for each in fields))
        case inspect.DataclassType(cls=made, fields=fields):
            return st.builds(made, *(_strategy(each.type) for each in fields))
        case inspect.UnionType(types=types):
            return st.one_of(*map(_strategy, types))
        case inspect.EnumType(cls=named):
            return st.sampled_from(list(named))
        case inspect.IntType(ge=int(least), le=int(most)):
            return st.integers(least, most)
        case inspect.FloatType(ge=low, le=high) if low is not None and high is not None:
            return st.floats(low, high)
        case inspect.ListType(item_type=item):
            return st.lists(_strategy(item), max_size=4)
        case inspect.VarTupleType(item_type=item):
            return st.lists(_strategy(item), max_size=4).map(tuple)
        case inspect.TupleType(item_types=items):
            return st.tuples(*map(_strategy, items))
        case inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(_strategy(key), _strategy(value), max_size=4)
        case inspect.CustomType(cls=cls) if cls is History:
            return _ENTRIES.map(lambda entries: History().plus(entries))
        case _:
            return _SIMPLE[type(info)]
