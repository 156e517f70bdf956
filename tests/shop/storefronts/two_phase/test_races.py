"""Purchases that are after the last money, stock or courier at the same time: exactly as many win as there is."""

from tests.shop.storefronts.two_phase.conftest import CREATED, NO_COURIER, NO_MONEY, NO_STOCK, TODAY, Shop

BUYERS = 50
[MADE], [POOR], [EMPTY], [NOBODY] = (list(each.values()) for each in (CREATED, NO_MONEY, NO_STOCK, NO_COURIER))


async def test_of_many_purchases_for_the_last_money_one_wins(shop: Shop) -> None:
    user = await shop.user(19)
    assert await shop.race(*[(user, {"delivery_hour": nth % 18}) for nth in range(BUYERS)]) == {
        MADE: 1,
        POOR: BUYERS - 1,
    }
    assert await shop.balance(user) == 9
    await shop.check()


async def test_of_many_buyers_of_the_last_piece_one_wins(shop: Shop) -> None:
    await shop.rooms.warehouse.put_stock({"two-phase/3": 1})
    users = [await shop.user(10) for _ in range(BUYERS)]
    assert await shop.race(*[(user, {"warehouse_id": 3}) for user in users]) == {MADE: 1, EMPTY: BUYERS - 1}
    assert sorted([await shop.balance(user) for user in users]) == [0] + [10] * (BUYERS - 1)
    await shop.check()


async def test_of_many_buyers_of_the_last_courier_one_wins(shop: Shop) -> None:
    await shop.rooms.delivery.put_slots("two-phase", {f"{TODAY}T05:00:00Z": 1})
    users = [await shop.user(10) for _ in range(BUYERS)]
    assert await shop.race(*[(user, {"delivery_hour": 5}) for user in users]) == {MADE: 1, NOBODY: BUYERS - 1}
    assert sorted([await shop.balance(user) for user in users]) == [0] + [10] * (BUYERS - 1)
    held, reserved, booked = await shop.rooms_state()
    assert (held, reserved, booked) == (0, {"two-phase/1": 1}, {f"{TODAY}T05:00:00Z": 1})
    await shop.check()
