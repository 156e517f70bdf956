"""Joining, signing in, and one's own wallet."""

import asyncio

import httpx
import pytest

from amends.adapters.threads import Threads
from shop.users.passwords import Passwords
from shop.web import Problem
from tests.shop.web.edges import Edges

JOINING = {"email": "ann@example.com", "name": "Ann", "password": "correct horse"}


async def sign_in(edges: Edges, email: str, password: str) -> httpx.Response:
    return await edges.client.post("/api/sessions", json={"email": email, "password": password})


async def test_new_user_has_an_empty_wallet_at_once(edges: Edges) -> None:
    answer = await edges.client.post("/api/users", json=JOINING)
    assert answer.status_code == 201
    assert answer.json() == {"id": answer.json()["id"], "email": "ann@example.com", "name": "Ann"}
    signed = (await sign_in(edges, JOINING["email"], JOINING["password"])).json()
    assert (signed["token_type"], signed["expires_in"]) == ("Bearer", 900)
    bearer = {"Authorization": f"Bearer {signed['access_token']}"}
    wallet = await edges.client.get("/api/wallet", headers=bearer)
    assert wallet.json() == {"balance_minor": 0, "held_minor": 0, "currency": "EUR"}


async def test_email_is_taken_whatever_its_case(edges: Edges) -> None:
    await edges.join("Ann@Example.com")
    answer = await edges.client.post("/api/users", json=JOINING)
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/email-taken"


async def test_of_two_who_join_at_once_one_gets_the_email(edges: Edges) -> None:
    answers = await asyncio.gather(*(edges.client.post("/api/users", json=JOINING) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    async with edges.services["users"].storage.reading() as reader:
        assert (await reader.fetch("select count(*) from users")) == [(1,)]
        assert (await reader.fetch("select count(*) from sagas")) == [(1,)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"email": "a b@c"},
        {"email": "a@b\n"},
        {"email": "@"},
        {"email": "x" * 260 + "@y"},
        {"name": ""},
        {"name": "x" * 101},
        {"password": "short"},
        {"password": "x" * 201},
        {"role": "admin"},
    ],
    ids=lambda wrong: next(iter(wrong.items()))[0] + str(next(iter(wrong.values())))[:9].strip(),
)
async def test_wrong_joining_is_refused(edges: Edges, wrong: dict[str, str]) -> None:
    answer = await edges.client.post("/api/users", json=JOINING | wrong)
    assert answer.status_code == 400
    async with edges.services["users"].storage.reading() as reader:
        assert (await reader.fetch("select count(*) from users")) == [(0,)]


async def test_wrong_password_and_unknown_email_look_the_same(edges: Edges) -> None:
    await edges.join()
    wrong = await sign_in(edges, "ann@example.com", "wrong horse")
    unknown = await sign_in(edges, "bob@example.com", "wrong horse")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


async def test_many_wrong_passwords_have_to_wait_and_others_do_not(edges: Edges) -> None:
    await edges.join()
    answers = [await sign_in(edges, "ann@example.com", "wrong horse") for _ in range(11)]
    assert [each.status_code for each in answers] == [401] * 10 + [429]
    assert int(answers[10].headers["retry-after"]) > 0
    assert (await sign_in(edges, "ann@example.com", "correct horse")).status_code == 429
    await edges.join("bob@example.com")


async def test_right_password_forgives_the_wrong_ones(edges: Edges) -> None:
    await edges.join()
    for _ in range(2):
        for _ in range(9):
            assert (await sign_in(edges, "ann@example.com", "wrong horse")).status_code == 401
        assert (await sign_in(edges, "ann@example.com", "correct horse")).status_code == 201


async def test_password_is_stored_as_argon2id_only(edges: Edges) -> None:
    await edges.join()
    async with edges.services["users"].storage.reading() as reader:
        [(stored,)] = await reader.fetch("select password_hash from users")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert "horse" not in stored


async def test_too_many_hashes_at_once_are_turned_away() -> None:
    threads = Threads(1)
    passwords = Passwords(threads, most_waiting=2)
    results = await asyncio.gather(*(passwords.hash("correct horse") for _ in range(3)), return_exceptions=True)
    threads.close()
    [refused] = [each for each in results if isinstance(each, BaseException)]
    assert isinstance(refused, Problem)
    assert (refused.status, refused.retry_after_s) == (503, 1.0)


async def test_deposit_is_made_once_a_key(edges: Edges) -> None:
    await edges.join()
    headers = {"Idempotency-Key": "monday"}
    first = await edges.client.post("/api/wallet/deposits", json={"amount_minor": 500}, headers=headers)
    again = await edges.client.post("/api/wallet/deposits", json={"amount_minor": 500}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json()["balance_minor"] == 500
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert (await edges.client.get("/api/wallet")).json()["balance_minor"] == 500


async def test_key_with_another_body_is_refused(edges: Edges) -> None:
    await edges.join()
    headers = {"Idempotency-Key": "monday"}
    await edges.client.post("/api/wallet/deposits", json={"amount_minor": 500}, headers=headers)
    other = await edges.client.post("/api/wallet/deposits", json={"amount_minor": 501}, headers=headers)
    assert other.status_code == 422
    assert other.json()["type"] == "/problems/key-reused"
    assert (await edges.client.get("/api/wallet")).json()["balance_minor"] == 500


async def test_key_of_one_user_says_nothing_to_another(edges: Edges) -> None:
    headers = {"Idempotency-Key": "monday"}
    await edges.join("ann@example.com")
    anns = await edges.client.post("/api/wallet/deposits", json={"amount_minor": 500}, headers=headers)
    await edges.join("bob@example.com")
    bobs = await edges.client.post("/api/wallet/deposits", json={"amount_minor": 70}, headers=headers)
    assert bobs.status_code == 201
    assert bobs.json()["id"] != anns.json()["id"]
    assert bobs.json()["balance_minor"] == 70


@pytest.mark.parametrize("key", [None, "", "x" * 256], ids=["missing", "empty", "over-long"])
async def test_key_is_needed(edges: Edges, key: str | None) -> None:
    await edges.join()
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await edges.client.post("/api/wallet/deposits", json={"amount_minor": 500}, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await edges.client.get("/api/wallet")).json()["balance_minor"] == 0


async def test_racing_deposits_with_one_key_pay_once(edges: Edges) -> None:
    await edges.join()
    headers = {"Idempotency-Key": "monday"}
    post = edges.client.post
    answers = await asyncio.gather(
        *(post("/api/wallet/deposits", json={"amount_minor": 500}, headers=headers) for _ in range(10))
    )
    assert {each.status_code for each in answers} == {201}
    assert len({each.json()["id"] for each in answers}) == 1
    assert (await edges.client.get("/api/wallet")).json()["balance_minor"] == 500


async def test_entries_are_ones_own_newest_first_page_by_page(edges: Edges) -> None:
    await edges.join("bob@example.com")
    await edges.client.post("/api/wallet/deposits", json={"amount_minor": 9}, headers={"Idempotency-Key": "b"})
    await edges.join("ann@example.com")
    for amount in (1, 2, 3):
        key = {"Idempotency-Key": str(amount)}
        await edges.client.post("/api/wallet/deposits", json={"amount_minor": amount}, headers=key)
    first = (await edges.client.get("/api/wallet/entries?limit=2")).json()
    then = (await edges.client.get("/api/wallet/entries", params={"after": first[1]["id"]})).json()
    assert [each["amount_minor"] for each in first + then] == [3, 2, 1]
    assert first[0]["kind"] == "deposit"
    assert first[0]["at"].endswith("Z")
