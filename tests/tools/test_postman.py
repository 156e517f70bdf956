"""The Postman collections are what they have to be, and newman runs them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shop.settings import PORTS
from tests.servers import require
from tests.system.shop_process import ShopProcess
from tools.postman import newman
from tools.postman.__main__ import line_of, start, variables_of
from tools.postman.collections import COLLECTIONS
from tools.postman.items import HOST, SCHEMA, Collection, filled, number
from tools.postman.shops import Shop, ShopFailed
from tools.postman.write import FOLDER

ROOT = Path(__file__).parents[2]
EVERY = pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda each: each.name)
METHODS = {"GET", "POST", "PUT", "DELETE"}
STOREFRONTS = {"queue-saga", "parallel-saga", "pivot-saga", "idempotent-orders", "two-phase"}
_USED = re.compile(r"{{(\$?\w+)}}")
_TOUCHED = re.compile(r"""[vV]ariables\.[gs]et\(\\?["'](\w+)""")


def document(collection: Collection) -> dict[str, Any]:
    """As it is in the tree."""
    read: dict[str, Any] = json.loads((FOLDER / f"{collection.name}.json").read_bytes())
    return read


def items(parent: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Folders and requests, all of them."""
    for each in parent.get("item", []):
        yield each
        yield from items(each)


def requests(collection: Collection) -> list[dict[str, Any]]:
    return [each for each in items(document(collection)) if "request" in each]


def test_there_is_one_for_the_api_and_for_each_storefront() -> None:
    assert {each.name for each in COLLECTIONS} == {"api"} | STOREFRONTS
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(f"{each.name}.json" for each in COLLECTIONS)


@EVERY
def test_file_is_what_the_module_says(collection: Collection) -> None:
    written = (FOLDER / f"{collection.name}.json").read_text(encoding="utf-8")
    assert written == collection.text, "run: .venv/bin/python -m tools.postman.write"


@EVERY
def test_format_is_v2_1(collection: Collection) -> None:
    read = document(collection)
    assert read["info"]["schema"] == SCHEMA
    assert set(read) == {"info", "item", "event", "variable"}
    for each in items(read):
        assert ("request" in each) != ("item" in each), each["name"]
    for each in [read, *items(read)]:
        for event in each.get("event", []):
            assert event["listen"] in ("prerequest", "test")
            assert event["script"]["type"] == "text/javascript"
            assert all(isinstance(line, str) and "\n" not in line for line in event["script"]["exec"])


@EVERY
def test_requests_are_whole(collection: Collection) -> None:
    for each in requests(collection):
        request = each["request"]
        assert request["method"] in METHODS
        assert request["url"].startswith("http://{{baseUrl}}:{{"), each["name"]
        assert all(set(header) == {"key", "value"} for header in request["header"])
        assert request.get("body", {"mode": "raw"})["mode"] == "raw"


@EVERY
def test_everything_is_described(collection: Collection) -> None:
    read = document(collection)
    assert read["info"]["description"]
    described = [each.get("description") or each["request"]["description"] for each in items(read)]
    assert all(described)
    assert all(variable["description"] for variable in read["variable"])


@EVERY
def test_names_are_used_once_in_a_folder(collection: Collection) -> None:
    for parent in [document(collection), *items(document(collection))]:
        names = [each["name"] for each in parent.get("item", [])]
        assert sorted(names) == sorted(set(names))


@EVERY
def test_every_request_says_which_status_it_expects(collection: Collection) -> None:
    for each in requests(collection):
        [script] = [event["script"]["exec"] for event in each["event"] if event["listen"] == "test"]
        assert any("status is" in line for line in script), each["name"]


@EVERY
def test_only_its_own_variables_are_used_and_all_of_them(collection: Collection) -> None:
    defined = {variable["key"] for variable in document(collection)["variable"]}
    text = json.dumps({"item": document(collection)["item"]}).replace('\\"', '"')
    used = {name for name in _USED.findall(text) if not name.startswith("$")} | set(_TOUCHED.findall(text))
    assert used == defined


@EVERY
def test_host_and_ports_are_the_defaults(collection: Collection) -> None:
    values = {variable["key"]: variable["value"] for variable in document(collection)["variable"]}
    assert values["baseUrl"] == HOST == "arch.homework"
    assert {name: values[name] for name in collection.ports} == {
        name: str(PORTS[edge]) for name, edge in collection.ports.items()
    }


@EVERY
def test_refusals_are_asked_for_and_nothing_may_change(collection: Collection) -> None:
    [refused] = [each for each in document(collection)["item"] if each["name"] == "Refused"]
    statuses = json.dumps(refused)
    assert len(refused["item"]) >= 15
    assert "status is 400" in statuses
    assert "status is 404" in statuses
    assert "nothing is changed" in statuses or "the next number" in statuses


def test_numbers_are_not_quoted() -> None:
    assert filled({"id": number("product"), "login": "{{login}}"}) == '{"id": {{product}}, "login": "{{login}}"}'


def test_lock_names_no_address() -> None:
    lock = (newman.HERE / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    assert packages["node_modules/newman"]["version"] == "6.2.2"
    assert '"resolved"' not in lock
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []


def test_shop_without_an_edge_is_named() -> None:
    [queue_saga] = [each for each in COLLECTIONS if each.name == "queue-saga"]
    assert variables_of(queue_saga, Shop({"queue-saga": "http://127.0.0.1:81"}, "", ())) == {
        "baseUrl": "127.0.0.1",
        "basePort": "81",
    }
    with pytest.raises(ShopFailed, match="this shop has no queue-saga: api"):
        variables_of(queue_saga, Shop({"api": "http://127.0.0.1:80"}, "", ()))


def test_failures_say_where_and_why() -> None:
    failure = {
        "source": {"name": "A kettle"},
        "error": {"name": "AssertionError", "test": "status is 201", "message": "expected 400 to be one of [ 201 ]"},
    }
    counts = {"requests": {"total": 12}, "assertions": {"total": 30}}
    run = {"stats": counts, "timings": {"started": 1_000, "completed": 1_520}, "failures": [failure]}
    came = newman.outcome_of({"run": run})
    assert came.failed == ["A kettle: status is 201: expected 400 to be one of [ 201 ]"]
    assert line_of("api 1/2", came) == "api 1/2                 12 requests   30 assertions   1 failures    0.5 s"


def test_folder_without_a_shop_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require(newman.missing())
    assert start(["--against", str(tmp_path)]) == 1
    assert f"no shop runs on {tmp_path}" in capsys.readouterr().err


def postman(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.postman", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)


@pytest.mark.long
@pytest.mark.slow
def test_collection_passes_twice_against_a_shop_of_its_own() -> None:
    require(newman.missing())
    ran = postman("--only", "two-phase")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["two-phase", "1/2"], ["two-phase", "2/2"]]
    assert all(" 0 failures" in line for line in lines[:2])
    assert lines[2:] == ["amends check: all is consistent"]


@pytest.mark.long
@pytest.mark.slow
async def test_shop_that_answers_otherwise_fails_the_run(tmp_path: Path) -> None:
    """Nothing can be broken on purpose in it: the clients of `pivot-saga` need that."""
    require(newman.missing())
    shop = ShopProcess(tmp_path / "data")
    await shop.start("--ports", "auto", "--quiet")
    try:
        ran = postman("--only", "pivot-saga", "--times", "1", "--against", str(shop.folder))
    finally:
        await shop.stop()
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "The payment makes 100 % mistakes: status is 200: expected 404" in ran.stdout
