"""Only the operator comes in, and no foreign page in the operator's name."""

import stat
from pathlib import Path

import httpx
import pytest

from shop.ops.door import load_token
from tests.shop.ops.conftest import TOKEN, Ops

PATHS = [
    ("GET", "/ops/sagas"),
    ("GET", "/ops/sagas/x"),
    ("POST", "/ops/sagas/x/retry"),
    ("PUT", "/ops/products/apple"),
    ("PUT", "/ops/slots/x"),
    ("POST", "/ops/wallets/x/deposits"),
    ("GET", "/ops/check"),
    ("GET", "/ops/"),
    ("GET", "/ops/saga/x"),
    ("POST", "/ops/saga/x"),
    ("GET", "/ops/checks"),
    ("GET", "/ops/docs"),
    ("GET", "/ops/openapi.json"),
    ("GET", "/ops/assets/console.css"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer"}, {"cookie": f"ops_session={TOKEN}"}],
    ids=["nothing", "wrong", "empty", "token as cookie"],
)
async def test_without_the_token_nobody_comes_in(ops: Ops, method: str, path: str, headers: dict[str, str]) -> None:
    assert (await ops.browser.request(method, path, headers=headers)).status_code == 401


async def test_a_users_token_is_not_the_operators(ops: Ops) -> None:
    await ops.edges.join()
    headers = {"authorization": ops.edges.client.headers["authorization"]}
    assert (await ops.browser.get("/ops/sagas", headers=headers)).status_code == 401


async def test_metrics_need_no_token(ops: Ops) -> None:
    assert (await ops.browser.get("/metrics")).status_code == 200


async def test_sign_in_link_gives_a_cookie_that_scripts_and_other_sites_never_get(ops: Ops) -> None:
    answer = await ops.browser.get("/ops/signin", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ops/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert (await ops.browser.get("/ops/")).status_code == 200
    assert (await ops.browser.get("/ops/check")).status_code == 200


async def test_wrong_sign_in_link_gives_nothing(ops: Ops) -> None:
    answer = await ops.browser.get("/ops/signin", params={"token": "wrong"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://shop.test"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "http://evil.test"}, 403),
        ({"origin": "http://shop.test:81"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
        ({"origin": "http://shop.test"}, 404),
        ({"sec-fetch-site": "same-origin"}, 404),
    ],
    ids=str,
)
async def test_cookie_changes_things_from_our_own_pages_only(ops: Ops, headers: dict[str, str], status: int) -> None:
    await ops.sign_in()
    body = {"reason": "r", "actor": "a"}
    answer = await ops.browser.post("/ops/sagas/unknown/retry", json=body, headers=headers)
    assert answer.status_code == status
    form = await ops.browser.post("/ops/saga/unknown", data=body | {"action": "retry"}, headers=headers)
    assert form.status_code == status


async def test_program_needs_no_origin(ops: Ops) -> None:
    answer: httpx.Response = await ops.program.post("/ops/sagas/unknown/retry", json={"reason": "r", "actor": "a"})
    assert answer.status_code == 404


def test_token_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "operator.token"
    assert load_token(file, lambda: "first") == "first"
    assert load_token(file, lambda: "second") == "first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
