"""Pieces of JavaScript for collections: waiting, looking, asking several times at once."""

from collections.abc import Mapping, Sequence

from tools.postman.items import js, quoted

_LOOKS = 300
_PAUSE_MS = 100


def fresh(**prefixes: str) -> list[str]:
    """Sets variables to names that nobody has used: a prefix and some random digits."""
    digits = "pm.variables.replaceIn('{{$randomUUID}}').slice(0, 13)"
    return [f"pm.collectionVariables.set('{name}', '{prefix}' + {digits});" for name, prefix in prefixes.items()]


def fresh_times(*variables: str, between: str = " ") -> list[str]:
    """Sets variables to times between 2040 and 2099 as chance has it, like `2040-01-08 10:00:00`."""
    return [
        "const within = (least, most) => least + Math.floor(Math.random() * (most - least + 1));",
        "const chance = (least, most) => String(within(least, most)).padStart(2, '0');",
        "const day = () => `${chance(2040, 2099)}-${chance(1, 12)}-${chance(1, 28)}`;",
        "const time = () => `${chance(0, 23)}:${chance(0, 59)}:${chance(0, 59)}`;",
        *(f"pm.collectionVariables.set('{each}', `${{day()}}{between}${{time()}}`);" for each in variables),
    ]


def until(
    path: str, condition: str, headers: Mapping[str, str] | None = None, port: str = "basePort", *, steady: int = 1
) -> list[str]:
    """Looks until the condition on `answer` holds, so many times in a row; for half a minute at most.

    The request then shows what is there.
    """
    return [
        f"const there = {_request(path, headers or {}, port)};",
        f"const holds = answer => {condition};",
        "const look = (left, before) => pm.sendRequest(there, (error, found) => {",
        "    const held = !error && holds(found.json()) ? before + 1 : 0;",
        f"    if (held < {steady} && left > 0) setTimeout(() => look(left - 1, held), {_PAUSE_MS});",
        "});",
        f"look({_LOOKS}, 0);",
    ]


def watch(*paths: str, headers: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """For a folder: what is at these paths is the same after each of its requests as before it."""
    there = ",\n    ".join(_request(path, headers or {}, "basePort") for path in paths)
    looking = [
        *f"const places = [\n    {there},\n];".split("\n"),
        "const look = done => {",
        "    const seen = {};",
        "    places.forEach((place, nth) => pm.sendRequest(place, (error, found) => {",
        "        seen[nth] = error ? String(error) : found.text();",
        "        if (Object.keys(seen).length === places.length) done(JSON.stringify(seen));",
        "    }));",
        "};",
    ]
    keeping = "look(seen => pm.collectionVariables.set('before', seen));"
    comparing = "pm.test('nothing is changed', () => pm.expect(seen).to.eql(pm.collectionVariables.get('before')))"
    return {"before": [*looking, keeping], "after": [*looking, f"look(seen => {comparing});"]}


def at_once(
    path: str, bodies: Sequence[object], *, headers: Mapping[str, str] | None = None, then: Sequence[str] = ()
) -> list[str]:
    """Posts all bodies at the same time, keeps the codes and bodies that came back in `answers`; then goes on.

    `{{$randomUUID}}` in a header is another one for each.
    """
    sent = ",\n    ".join(js(body) for body in bodies)
    place = _request(path, {"content-type": "application/json"} | dict(headers or {}), "basePort")
    return [
        *f"const bodies = [\n    {sent},\n];".split("\n"),
        f"const place = () => ({place});",
        "const goOn = () => {",
        *(f"    {line}" for line in then),
        "};",
        "const came = {};",
        "bodies.forEach((body, nth) => {",
        "    const request = { ...place(), method: 'POST', body: { mode: 'raw', raw: JSON.stringify(body) } };",
        "    pm.sendRequest(request, (error, found) => {",
        "        came[nth] = error ? { code: 0, body: String(error) } : { code: found.code, body: found.json() };",
        "        if (Object.keys(came).length < bodies.length) return;",
        "        pm.collectionVariables.set('answers', JSON.stringify(bodies.map((_, each) => came[each])));",
        "        goOn();",
        "    });",
        "});",
    ]


def _request(path: str, headers: Mapping[str, str], port: str) -> str:
    """A request for `pm.sendRequest`."""
    request: dict[str, object] = {"url": f"http://{{{{baseUrl}}}}:{{{{{port}}}}}{path}"}
    return js(request | ({"header": dict(headers)} if headers else {}))


def answers(*tests: str) -> list[str]:
    """Tests of what `at_once` has kept."""
    return ["const answers = JSON.parse(pm.collectionVariables.get('answers'));", *tests]


def check(name: str, expectation: str) -> str:
    """A test: `expectation` is what follows `pm.expect`."""
    return f"pm.test({quoted(name)}, () => pm.expect{expectation});"


def all_came(*codes: int) -> str:
    """A test: each of the `answers` has one of these codes."""
    said = " or ".join(map(str, codes))
    return check(f"all are {said}", f"(answers.filter(each => !{list(codes)}.includes(each.code))).to.eql([])")
