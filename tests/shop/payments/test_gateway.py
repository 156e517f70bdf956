"""The gateway alone, over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shop.payments.gateway import GatewaySettings
from shop.payments.gateway_wire import APPROVED, DECLINED, KEY_HEADER, LOST
from tests.shop.payments.card_room import GatewayServer


@pytest.fixture
async def http(gateway: GatewayServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
        yield client


async def authorize(http: httpx.AsyncClient, key: str, card: str = APPROVED, amount: Any = 500) -> httpx.Response:
    return await http.post("/authorizations", json={"card": card, "amount_minor": amount}, headers={KEY_HEADER: key})


async def test_authorization_is_captured_and_refunded_once_however_often_it_is_asked(http: httpx.AsyncClient) -> None:
    assert [(await authorize(http, "k")).status_code for _ in "12"] == [201, 201]
    for verb, state in (("capture", "captured"), ("refund", "refunded")):
        for _ in range(2):
            answer = await http.post(f"/authorizations/k/{verb}")
            assert (answer.status_code, answer.json()["state"]) == (200, state)
    assert (await http.get("/authorizations/k")).json() == {
        "key": "k",
        "state": "refunded",
        "card_last4": "4242",
        "amount_minor": 500,
    }


@pytest.mark.parametrize("verb", ["void", "refund"])
async def test_authorization_after_its_undo_is_refused(
    http: httpx.AsyncClient, gateway: GatewayServer, verb: str
) -> None:
    await http.post(f"/authorizations/k/{verb}")
    assert (await authorize(http, "k")).status_code == 409
    assert await gateway.state("k") == "voided"


async def test_void_of_an_unknown_key_is_accepted(http: httpx.AsyncClient) -> None:
    answer = await http.post("/authorizations/k/void")
    assert (answer.status_code, answer.json()["state"]) == (200, "voided")


async def test_captured_money_is_not_voided(http: httpx.AsyncClient, gateway: GatewayServer) -> None:
    await authorize(http, "k")
    await http.post("/authorizations/k/capture")
    assert (await http.post("/authorizations/k/void")).status_code == 409
    assert await gateway.state("k") == "captured"


async def test_voided_money_is_not_captured(http: httpx.AsyncClient, gateway: GatewayServer) -> None:
    await authorize(http, "k")
    await http.post("/authorizations/k/void")
    assert (await http.post("/authorizations/k/capture")).status_code == 409
    assert await gateway.state("k") == "voided"


async def test_key_never_seen_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get("/authorizations/k")).status_code == 404
    assert (await http.post("/authorizations/k/capture")).status_code == 404


@pytest.mark.parametrize("card", [DECLINED, "1234567890123456"])
async def test_declined_card_stays_declined(http: httpx.AsyncClient, gateway: GatewayServer, card: str) -> None:
    assert (await authorize(http, "k", card)).status_code == 402
    assert (await http.post("/authorizations/k/void")).status_code == 200
    assert (await http.post("/authorizations/k/capture")).status_code == 409
    assert await gateway.state("k") == "declined"


async def test_lost_answer_has_taken_the_money(http: httpx.AsyncClient) -> None:
    assert (await authorize(http, "k", LOST)).status_code == 500
    assert (await http.get("/authorizations/k")).json()["state"] == "authorized"
    assert (await authorize(http, "k", LOST)).status_code == 201


async def test_key_of_another_authorization_is_refused(http: httpx.AsyncClient, gateway: GatewayServer) -> None:
    await authorize(http, "k")
    assert (await authorize(http, "k", amount=501)).status_code == 422
    record = await gateway.record("k")
    assert record is not None
    assert record.amount_minor == 500


@pytest.mark.parametrize("amount", [0, -1, 1.5, "five", None, 10**13])
async def test_bad_amount_is_refused(http: httpx.AsyncClient, gateway: GatewayServer, amount: Any) -> None:
    assert (await authorize(http, "k", amount=amount)).status_code == 400
    assert await gateway.state("k") == "never seen"


async def test_authorization_without_a_key_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post("/authorizations", json={"card": APPROVED, "amount_minor": 1})).status_code == 400


async def test_restarted_gateway_still_has_the_money(tmp_path: Path) -> None:
    first = GatewayServer(tmp_path, GatewaySettings())
    await first.start()
    async with httpx.AsyncClient(base_url=first.url, trust_env=False) as http:
        await authorize(http, "k")
    await first.stop()
    second = GatewayServer(tmp_path, GatewaySettings())
    await second.start()
    assert await second.state("k") == "authorized"
    await second.stop()


async def test_flaky_gateway_fails_before_and_after_the_work(tmp_path: Path) -> None:
    server = GatewayServer(tmp_path, GatewaySettings(flaky=1.0))
    await server.start()
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
        codes = {(await authorize(http, f"k{n}")).status_code for n in range(30)}
    assert codes == {503}
    assert {await server.state(f"k{n}") for n in range(30)} == {"never seen", "authorized"}
    await server.stop()
