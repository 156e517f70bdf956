"""Wallets: buyers who race, money to the cent, users of others."""

import asyncio

from tests.shop.storefronts.parallel_saga.conftest import Shop


async def enrolled(shop: Shop, sum: str = "") -> str:
    """A user with money."""
    id: str = (await shop.ask("POST", "/user/user", {"name": "Maksim", "email": "sss@sss.ss"}))["id"]
    if sum:
        await shop.ask("PUT", f"/billing/billing/refill/{id}/{sum}")
    return id


async def test_buyers_who_race_for_the_last_money_leave_no_debt(shop: Shop) -> None:
    id = await enrolled(shop, "100")
    answers = await asyncio.gather(*(shop.ask("PUT", f"/billing/billing/{id}/30") for _ in range(24)))
    assert sorted(each["status"] for each in answers) == [False] * 21 + [True] * 3
    assert (await shop.get(f"/billing/billing/{id}"))["wallet"] == 10.0
    await shop.runtime.advance(2.0)
    told = await shop.get(f"/notification/notification/{id}")
    assert len(told) == 26
    assert len({each["id"] for each in told}) == 26
    assert await shop.broken() == []


async def test_cents_stay_exact(shop: Shop) -> None:
    id = await enrolled(shop)
    for _ in range(10):
        await shop.ask("PUT", f"/billing/billing/refill/{id}/0.1")
    assert (await shop.get(f"/billing/billing/{id}"))["wallet"] == 1.0
    assert await shop.ask("PUT", f"/billing/billing/{id}/1.00") == {"status": True}
    assert await shop.ask("PUT", f"/billing/billing/{id}/0.01") == {"status": False}


async def test_users_of_one_name_have_wallets_of_their_own(shop: Shop) -> None:
    first, second = await enrolled(shop, "5"), await enrolled(shop, "7")
    assert first != second
    assert [(await shop.get(f"/billing/billing/{id}"))["wallet"] for id in (first, second)] == [5.0, 7.0]


async def test_lost_event_is_told_once(shop: Shop) -> None:
    shop.transport.matches = lambda message: message.to == "billing.events" and len(shop.transport.lost) < 3
    id = await enrolled(shop, "5")
    await shop.ask("PUT", f"/billing/billing/{id}/6")
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert len(shop.transport.lost) == 3
    told = [each["message"] for each in await shop.get(f"/notification/notification/{id}")]
    assert len(told) == len(set(told)) == 3


async def test_wallet_of_another_storefront_is_404_and_stays_as_it_is(shop: Shop) -> None:
    other = await shop.rooms.users.enroll("two-phase", "Ann", "ann@shop.example")
    await shop.rooms.billing.deposit("d1", other.id, 500)
    for method, path in (
        ("GET", f"/billing/billing/{other.id}"),
        ("PUT", f"/billing/billing/{other.id}/1"),
        ("PUT", f"/billing/billing/refill/{other.id}/1"),
        ("GET", f"/notification/notification/{other.id}"),
    ):
        assert (await shop.client.request(method, path)).status_code == 404
    found = await shop.rooms.billing.wallet(other.id)
    assert found is not None
    assert found.balance_minor == 500


async def test_wallet_that_is_not_open_yet_is_503(shop: Shop) -> None:
    shop.transport.matches = lambda message: message.to == "billing"
    asked = asyncio.create_task(enrolled(shop))
    while not asked.done():
        await shop.runtime.advance(0.1)
    id = asked.result()
    for method, path in (
        ("GET", f"/billing/billing/{id}"),
        ("PUT", f"/billing/billing/{id}/1"),
        ("PUT", f"/billing/billing/refill/{id}/1"),
    ):
        answer = await shop.client.request(method, path)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(60.0, leap_s=1.0)
    assert (await shop.get(f"/billing/billing/{id}"))["wallet"] == 0.0


async def test_id_may_be_written_in_capitals(shop: Shop) -> None:
    id = await enrolled(shop, "5")
    assert await shop.ask("PUT", f"/billing/billing/{id.upper()}/2") == {"status": True}
    assert await shop.get(f"/billing/billing/{id.upper()}") == {"id": id, "wallet": 3.0}
