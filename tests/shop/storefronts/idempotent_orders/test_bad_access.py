"""Whoever shows no good token gets nothing, and nobody gets at another's account."""

from typing import Any

import pytest

from amends.testing.runtime import VirtualRuntime
from shop.users.domain import User
from shop.users.tokens import LIFETIME_S, Issuer, make_key
from tests.shop.storefronts.idempotent_orders.conftest import TWO, Client, Shop

CHARGE = {"type": "charge", "amount": 10, "currency": "USD"}


async def everything(client: Client, account_id: int) -> list[int]:
    """The statuses of all requests that need a token."""
    answers = [
        await client.ask("GET", "/account/"),
        await client.ask("GET", "/balance_transactions/"),
        await client.ask("POST", "/balance_transactions/", {**CHARGE, "account_id": account_id}),
        await client.ask("POST", "/orders/", TWO, X_Idempotency_Key="k"),
    ]
    assert all("detail" in each.json() and "www-authenticate" in each.headers for each in answers)
    return [each.status_code for each in answers]


def forged(shop: Shop, ann: Client) -> list[str]:
    head, claims, signature = ann.token.split(".")
    other = Issuer(make_key(VirtualRuntime())).issue(User("u", "ann@example.org", "Ann"), shop.runtime.now())
    unsigned = f"eyJhbGciOiJub25lIn0.{claims}."
    return [f"{head}.{claims}.{signature[::-1]}", other, unsigned, f"{head}.{claims}", "nonsense", "", ann.token * 40]


async def test_no_token_or_a_forged_one_is_401_and_changes_nothing(shop: Shop, ann: Client) -> None:
    for token in forged(shop, ann):
        stranger = Client(shop.guest.http, token)
        assert await everything(stranger, ann.id) == [401] * 4
        assert (await stranger.ask("POST", "/orders/", b"{")).status_code == 401, "before anything else is looked at"
    assert await ann.transactions() == [("charge", 10_000)]
    assert await shop.rows("orders", "select id from orders") == []


@pytest.mark.parametrize("header", ["Basic YW5uOnNlY3JldA==", "Bearer", "bearer ", "Token {token}", "{token}"])
async def test_other_schemes_are_401(shop: Shop, ann: Client, header: str) -> None:
    answer = await shop.guest.ask("GET", "/account/", Authorization=header.format(token=ann.token))
    assert answer.status_code == 401


async def test_expired_token_is_401(shop: Shop, ann: Client) -> None:
    shop.runtime.jump(LIFETIME_S)
    assert await everything(ann, ann.id) == [401] * 4


async def test_token_of_a_user_who_is_gone_is_401(shop: Shop, ann: Client) -> None:
    async with shop.services["users"].transaction() as tx:
        await tx.run("delete from customers")
        await tx.run("delete from users")
    assert await everything(ann, ann.id) == [401] * 4


async def test_another_users_account_is_refused_as_if_it_were_not_there(shop: Shop, ann: Client) -> None:
    bob = await shop.guest.join("bob@example.org")
    seen: list[tuple[int, dict[str, Any]]] = []
    for account_id in (bob.id, bob.id + 1000):
        for type in ("charge", "payment", "payment_refund"):
            body = {**CHARGE, "type": type, "account_id": account_id}
            answer = await ann.ask("POST", "/balance_transactions/", body)
            told = answer.json()
            told["detail"] = told["detail"].replace(str(account_id), "N")
            seen.append((answer.status_code, told))
    assert seen[0][0] == 404
    assert seen == [seen[0]] * 6
    assert (await ann.balance(), await bob.balance()) == (10_000, 0)
    assert await bob.transactions() == []
