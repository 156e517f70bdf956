"""What a desk's methods take and give, as JSON: worked out from their annotations."""

import base64
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, get_type_hints

import msgspec

from amends.history import History


class Method(NamedTuple):
    """One method of a desk. `waits`: it takes `wait_s`, and an answer may be as late."""

    name: str
    function: Callable[..., Any]
    arguments: type[msgspec.Struct]
    waits: bool
    decode_arguments: Callable[[bytes], msgspec.Struct]
    decode_result: Callable[[bytes], Any]


def methods_of(desk: type) -> dict[str, Method]:
    """The public methods by name. Raises `TypeError` for one that isn't async, or without annotations."""
    functions = inspect.getmembers(desk, inspect.isfunction)
    return {name: _method(desk, name, function) for name, function in functions if not name.startswith("_")}


def _method(desk: type, name: str, function: Callable[..., Any]) -> Method:
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{desk.__name__}.{name} isn't async: a desk's public methods are what others may call")
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    missing = {each.name for each in parameters} | {"return"} - hints.keys()
    if missing - hints.keys():
        raise TypeError(f"{desk.__name__}.{name} doesn't say the types of {', '.join(sorted(missing - hints.keys()))}")
    fields = [_field(each, hints[each.name]) for each in parameters]
    arguments = msgspec.defstruct(f"{desk.__name__}_{name}", fields, frozen=True, forbid_unknown_fields=True)
    return Method(name, function, arguments, "wait_s" in hints, _decoder(arguments), _decoder(hints["return"]))


def _field(parameter: inspect.Parameter, hint: Any) -> Any:
    required = parameter.default is inspect.Parameter.empty
    return (parameter.name, hint) if required else (parameter.name, hint, parameter.default)


def _decoder(wanted: Any) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(wanted, dec_hook=_from_wire).decode


def _to_wire(value: Any) -> Any:
    """A saga's history travels as it is stored."""
    if isinstance(value, History):
        return value.pack()
    raise NotImplementedError(f"a desk can't take or give a {type(value).__name__}")


def _from_wire(wanted: type, value: Any) -> Any:
    if wanted is History:
        return History(base64.b64decode(value, validate=True))
    raise NotImplementedError(f"a desk can't take or give a {wanted.__name__}")


encode = msgspec.json.Encoder(enc_hook=_to_wire).encode
