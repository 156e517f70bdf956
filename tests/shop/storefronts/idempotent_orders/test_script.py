"""The documented script, twice on the same data, and over a restart."""

from typing import Any

import pytest

from tests.shop.storefronts.idempotent_orders.conftest import ANN, TWO, Client, OpenShop, Shop

ITEMS = [{"product_id": 1, "quantity": 1, "unit_price": 100}, {"product_id": 2, "quantity": 1, "unit_price": 100}]


async def run_script(shop: Shop, email: str) -> tuple[Client, Any]:
    """Runs the script for a new user; returns the user and the order."""
    user = await shop.guest.join(email)
    account = await user.account()
    assert account == {"id": user.id, "user_id": user.id, "balance": 0}
    charged = await user.transact("charge", 10_000)
    assert charged.status_code == 201
    shown = {"account_id": user.id, "type": "charge", "amount": 10_000, "currency": "USD", "status": "available"}
    assert charged.json() == {"id": charged.json()["id"], **shown}
    assert await user.balance() == 10_000
    order = await user.order("first")
    assert order.status_code == 201
    assert order.json() == {"id": order.json()["id"], "items": ITEMS, "status": "complete"}
    assert await user.balance() == 9_800
    again = await user.order("first")
    assert (again.status_code, again.json()) == (201, order.json())
    assert await user.balance() == 9_800
    assert await user.transactions() == [("charge", 10_000), ("payment", 200)]
    return user, order.json()


async def test_script_gives_documented_answers_twice_and_after_a_restart(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        ann, first = await run_script(shop, "ann@example.org")
        bob, second = await run_script(shop, "bob@example.org")
        assert second["id"] == first["id"] + 1
        assert bob.id == ann.id + 1
        assert await shop.broken() == []
    async with open_shop() as shop:
        _, third = await run_script(shop, "eve@example.org")
        assert third["id"] == second["id"] + 1
        assert await shop.broken() == []


async def test_key_is_known_after_a_restart(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        ann, order = await run_script(shop, "ann@example.org")
    async with open_shop() as shop:
        await shop.runtime.settle()
        signed = await shop.rooms.users.sign_in("ann@example.org", ANN["password"], "here")
        again = Client(shop.guest.http, signed.access_token, ann.id)
        assert (await again.order("first")).json() == order
        assert await again.balance() == 9_800
        assert (await again.order("first", {"items": [{"product_id": 3, "quantity": 1}]})).status_code == 422


async def test_registered_user_gets_a_token_of_the_shops_own(shop: Shop) -> None:
    answer = await shop.guest.ask("POST", "/register/", ANN)
    assert answer.status_code == 201
    token = answer.json()["access_token"]
    assert answer.json() == {"access_token": token, "token_type": "Bearer", "expires_in": 900}
    principal = shop.rooms.verifier.principal(f"Bearer {token}", shop.runtime.now())
    assert principal is not None
    assert principal.email == ANN["email"]


async def test_known_email_is_409_whatever_its_case(shop: Shop) -> None:
    await shop.guest.join()
    for email in (ANN["email"], ANN["email"].upper()):
        answer = await shop.guest.ask("POST", "/register/", {**ANN, "email": email})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/email-taken")


async def test_process_is_alive(shop: Shop) -> None:
    assert (await shop.guest.ask("GET", "/liveness/")).status_code == 200


async def test_user_of_the_shop_is_a_user_here_with_an_account_of_its_own(shop: Shop) -> None:
    """As after a crash between joining and enrolling, too: the account is opened by whatever is asked first."""
    joined = await shop.rooms.users.join_and_sign_in("bob@example.org", "Bob", "secret")
    bob = Client(shop.guest.http, joined.access_token)
    cancelled = await bob.order("first")
    assert (cancelled.status_code, cancelled.json()["status"]) == (201, "cancelled")
    bob.id = (await bob.account())["id"]
    assert (await bob.transact("charge", 500)).status_code == 201
    wallet = await shop.rooms.billing.wallet(joined.user.id)
    assert wallet is not None
    assert wallet.balance_minor == 0, "the account is not the wallet of the shop's own API"
    assert await bob.balance() == 500


async def test_wallet_that_is_missing_is_opened_on_the_way_in(shop: Shop) -> None:
    """As when the saga that opens wallets has not come so far."""
    shop.transport.matches = lambda message: message.type == "billing.OpenWallet"
    answer = await shop.in_time(shop.guest.ask("POST", "/register/", ANN))
    ann = Client(shop.guest.http, answer.json()["access_token"])
    ann.id = (await ann.account())["id"]
    assert (await ann.transact("charge", 500)).status_code == 201
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(60.0, leap_s=1.0)
    assert await ann.balance() == 500


async def test_order_of_too_little_money_is_cancelled_and_stays_so(shop: Shop) -> None:
    ann = await shop.guest.join()
    await ann.transact("charge", 199)
    id, status = await ann.placed("poor")
    assert status == "cancelled"
    await ann.transact("charge", 1)
    assert await ann.placed("poor") == (id, "cancelled")
    assert await ann.balance() == 200
    assert await ann.placed("rich") == (id + 1, "complete")
    assert await ann.balance() == 0
    assert await shop.broken() == []


async def test_price_is_a_hundred_a_piece(ann: Client) -> None:
    many = {"items": [{"product_id": 7, "quantity": 3}, {"product_id": 7, "quantity": 2}]}
    order = (await ann.order("many", many)).json()
    assert [each["unit_price"] for each in order["items"]] == [100, 100]
    assert await ann.balance() == 9_500


async def test_same_order_written_otherwise_is_the_same(ann: Client) -> None:
    first = await ann.order("k", b'{"items":[{"product_id":1,"quantity":2}]}')
    again = await ann.order("k", b'{ "items": [ {"quantity": 2, "product_id": 1} ] }')
    assert again.json() == first.json()


async def test_same_key_with_another_order_is_422_and_changes_nothing(ann: Client) -> None:
    await ann.placed("k")
    for items in (TWO["items"][:1], TWO["items"][::-1], [*TWO["items"], {"product_id": 3, "quantity": 1}]):
        refused = await ann.order("k", {"items": items})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/key-reused")
    assert await ann.balance() == 9_800


async def test_keys_are_each_users_own(shop: Shop, ann: Client) -> None:
    bob = await shop.guest.join("bob@example.org")
    await bob.transact("charge", 1_000)
    mine, yours = await ann.placed("k"), await bob.placed("k")
    assert mine[0] != yours[0]
    assert (await ann.balance(), await bob.balance()) == (9_800, 800)


async def test_transactions_move_money_and_are_listed_newest_first(shop: Shop, ann: Client) -> None:
    assert (await ann.transact("payment", 300)).json()["type"] == "payment"
    assert (await ann.transact("payment_refund", 100)).status_code == 201
    assert await ann.balance() == 9_800
    listed = (await ann.ask("GET", "/balance_transactions/")).json()
    ids = [each["id"] for each in listed]
    assert ids == sorted(ids, reverse=True)
    page = (await ann.ask("GET", f"/balance_transactions/?limit=1&before={ids[0]}")).json()
    assert page == listed[1:2]
    assert await shop.broken() == []


async def test_refund_never_exceeds_what_was_paid_by_hand(shop: Shop, ann: Client) -> None:
    await ann.placed("an order is paid, and that is no payment by hand")
    await ann.transact("payment", 300)
    refused = await ann.transact("payment_refund", 301)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/nothing-to-refund")
    assert (await ann.transact("payment_refund", 300)).status_code == 201
    assert (await ann.transact("payment_refund", 1)).status_code == 422
    assert await ann.balance() == 9_800
    assert await shop.broken() == []


async def test_payment_of_more_than_there_is_is_refused(ann: Client) -> None:
    refused = await ann.transact("payment", 10_001)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/insufficient-funds")
    assert await ann.balance() == 10_000


async def test_transaction_with_a_key_happens_once(ann: Client) -> None:
    first = await ann.transact("charge", 10, X_Idempotency_Key="k")
    again = await ann.transact("charge", 10, X_Idempotency_Key="k")
    assert (again.status_code, again.json()) == (201, first.json())
    for type, amount in (("charge", 11), ("payment", 10)):
        assert (await ann.transact(type, amount, X_Idempotency_Key="k")).status_code == 422
    assert await ann.balance() == 10_010


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
async def test_json_body_is_read_whatever_its_content_type_says(ann: Client, content_type: str) -> None:
    body = b'{"account_id":%d,"type":"charge","amount":1,"currency":"USD"}' % ann.id
    headers = {"Content_Type": content_type} if content_type else {}
    assert (await ann.ask("POST", "/balance_transactions/", body, **headers)).status_code == 201


async def test_order_completed_is_told_to_other_services(shop: Shop, ann: Client) -> None:
    id, _ = await ann.placed("k")
    await shop.runtime.settle()
    told = await shop.rows("notifications", "select email, message from notifications where id like '%/completed'")
    assert told == [("ann@example.org", f"Your order {id} is complete; 2.00 was paid for it.")]
