"""What collections are made of, as Postman's format v2.1 has it: requests with tests, folders, a collection.

In bodies, paths and expectations `{{name}}` is a variable; `number("name")` is one that isn't put in quotes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shop.settings import PORTS

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
HOST = "arch.homework"
Json = dict[str, Any]
Lines = Sequence[str]

_NUMBER = re.compile(r"<<(\w+)>>")
_QUOTED_NUMBER = re.compile(rf'"{_NUMBER.pattern}"')
_EVERY_ANSWER = [
    "pm.test('nothing broke on the other side', () => pm.expect(pm.response.code).to.be.below(500));",
    "if (pm.response.code >= 400 && (pm.response.headers.get('content-type') || '').includes('problem')) {",
    "    pm.test('it says why not', () => pm.expect(pm.response.json().detail).to.be.a('string').that.is.not.empty);",
    "}",
]


@dataclass(frozen=True, slots=True)
class Collection:
    """`ports` are variables, each with the edge whose port it holds; `operator`: it needs the operator's token."""

    name: str
    ports: Mapping[str, str]
    operator: bool
    document: Json = field(repr=False)

    @property
    def text(self) -> str:
        return json.dumps(self.document, indent=2, ensure_ascii=False) + "\n"


def collection(
    name: str,
    about: str,
    items: Sequence[Json],
    *,
    ports: Mapping[str, str],
    variables: Sequence[str] = (),
    operator: bool = False,
) -> Collection:
    """`variables` are those that requests fill in for later ones."""
    kept = [_variable("baseUrl", HOST, "The shop's host")]
    kept += [_variable(port, str(PORTS.get(edge, 0)), f"The port of {edge}") for port, edge in ports.items()]
    if operator:
        kept.append(_variable("operatorToken", "", "From operator.token in the data folder"))
    kept += [_variable(each, "", "Filled in by requests") for each in variables]
    described = {"name": name, "description": about, "schema": SCHEMA}
    document = {"info": described, "item": list(items), "event": _events([], _EVERY_ANSWER), "variable": kept}
    return Collection(name, ports, operator, document)


def folder(name: str, about: str, *items: Json, before: Lines = (), after: Lines = ()) -> Json:
    """`before` and `after` are scripts that run around each of its requests."""
    made: Json = {"name": name, "description": about, "item": list(items)}
    events = _events(before, after)
    return made | ({"event": events} if events else {})


def ask(
    name: str,
    wanted: str,
    *,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    status: int | Sequence[int] = 200,
    want: Mapping[str, object] | None = None,
    keep: Mapping[str, str] | None = None,
    before: Lines = (),
    tests: Lines = (),
    port: str = "basePort",
) -> Json:
    """A request: `wanted` is its method and path; a `body` that is text is sent as it is.

    `want` are expectations by a JavaScript expression behind `answer`, `keep` are variables to fill likewise; `before`
    and `tests` are scripts, in which `answer` is the body.
    """
    method, _, path = wanted.partition(" ")
    request: Json = {"method": method, "header": [{"key": key, "value": text} for key, text in (headers or {}).items()]}
    if body is not None:
        text = body if isinstance(body, str) else filled(body)
        request |= {"body": {"mode": "raw", "raw": text, "options": {"raw": {"language": "json"}}}}
    request |= {"url": f"http://{{{{baseUrl}}}}:{{{{{port}}}}}{path}", "description": _about(name, status, want or {})}
    script = [_status(status), *_expectations(want or {}, keep or {}, tests)]
    return {"name": name, "request": request, "event": _events(before, script), "response": []}


def number(variable: str) -> str:
    """A variable that stands for a number."""
    return f"<<{variable}>>"


def filled(value: object) -> str:
    """JSON with variables in it.

    >>> filled({"id": number("product"), "login": "{{login}}"})
    '{"id": {{product}}, "login": "{{login}}"}'
    """
    return _QUOTED_NUMBER.sub(r"{{\1}}", json.dumps(value, ensure_ascii=False))


def js(value: object) -> str:
    """The value as JavaScript, its variables as they are when the script runs.

    >>> js({"id": number("product"), "login": "{{login}}", "price": 1.5})
    "{ id: Number(pm.variables.get('product')), login: pm.variables.replaceIn('{{login}}'), price: 1.5 }"
    """
    match value:
        case str() if number_of := _NUMBER.fullmatch(value):
            return f"Number(pm.variables.get({quoted(number_of[1])}))"
        case str():
            return f"pm.variables.replaceIn({quoted(value)})" if "{{" in value else quoted(value)
        case dict():
            members = (f"{name if name.isidentifier() else quoted(name)}: {js(each)}" for name, each in value.items())
            return f"{{ {', '.join(members)} }}" if value else "{}"
        case list():
            return f"[{', '.join(map(js, value))}]"
        case _:
            return json.dumps(value)


def quoted(text: str) -> str:
    """A string of JavaScript, in the quotes that JSON leaves alone."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _status(status: int | Sequence[int]) -> str:
    codes = [status] if isinstance(status, int) else list(status)
    said = " or ".join(map(str, codes))
    return f"pm.test('status is {said}', () => pm.expect(pm.response.code).to.be.oneOf({codes}));"


def _expectations(want: Mapping[str, object], keep: Mapping[str, str], tests: Lines) -> list[str]:
    lines = [_expectation(behind, value) for behind, value in want.items()]
    lines += tests
    lines += [f"pm.collectionVariables.set('{name}', answer{behind});" for name, behind in keep.items()]
    return ["const answer = pm.response.json();", *lines] if any("answer" in line for line in lines) else lines


def _expectation(behind: str, value: object) -> str:
    return f"pm.test({quoted(_said(behind, value))}, () => pm.expect(answer{behind}).to.eql({js(value)}));"


def _said(behind: str, value: object) -> str:
    """An expectation in words."""
    if not behind and isinstance(value, dict):
        return ", ".join(_said(name, each) for name, each in value.items())
    told = value if isinstance(value, str) else filled(value).replace('"', "")
    named = _NUMBER.sub(r"{{\1}}", told)
    return f"{behind.lstrip('.') or 'the answer'} is {named}"


def _about(name: str, status: int | Sequence[int], want: Mapping[str, object]) -> str:
    """What is sent, and what has to come back."""
    codes = [status] if isinstance(status, int) else list(status)
    wanted = [f"status {' or '.join(map(str, codes))}", *(_said(behind, value) for behind, value in want.items())]
    return f"{name}. Expected: {'; '.join(wanted)}."


def _events(before: Lines, after: Lines) -> list[Json]:
    scripts = {"prerequest": list(before), "test": list(after)}
    return [
        {"listen": when, "script": {"type": "text/javascript", "exec": lines}}
        for when, lines in scripts.items()
        if lines
    ]


def _variable(key: str, value: str, about: str) -> Json:
    return {"key": key, "value": value, "type": "string", "description": about}
