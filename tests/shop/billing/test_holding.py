"""Money that is held until it is captured, released, or its time has come."""

import pytest

from shop.billing.audit import audit
from shop.billing.contract import CaptureMoney, HoldMoneyFor, ReleaseMoney
from shop.billing.domain import Balance
from shop.billing.tables import deposit, open_wallet, wallet
from shop.rooms import expiry_of
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ann_has_a_hundred(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "ann")
    await billing.do(deposit, "d1", "ann", 100)


async def balance(billing: AskedRoom) -> Balance | None:
    assert await billing.broken(audit) == []
    found: Balance | None = await billing.see(wallet, "ann")
    return found


async def test_held_money_expires_at_its_time_and_not_before(billing: AskedRoom) -> None:
    asked = [
        HoldMoneyFor("o1", "ann", 60, 10.0),
        HoldMoneyFor("o2", "ann", 41, 10.0),
        HoldMoneyFor("o3", "ann", 40, 20),
    ]
    assert await billing.ask(*asked) == ["MoneyHeld", "InsufficientFunds", "MoneyHeld"]
    sweep = expiry_of(billing.service).sweep
    billing.runtime.time += 9.9
    assert (await sweep(), await balance(billing)) == (0, Balance(100, 100))
    billing.runtime.time += 0.1
    assert (await sweep(), await sweep(), await balance(billing)) == (1, 0, Balance(100, 40))
    assert await billing.ask(CaptureMoney("o1"), ReleaseMoney("o1")) == ["HoldGone", "MoneyReleased"]
    billing.runtime.time += 100.0
    assert (await sweep(), await balance(billing)) == (1, Balance(100, 0))


async def test_capture_is_taken_while_money_is_held_and_stays_when_its_time_has_come(billing: AskedRoom) -> None:
    await billing.ask(HoldMoneyFor("o1", "ann", 60, 10.0), HoldMoneyFor("o2", "ann", 10, 10.0))
    billing.runtime.time += 11.0
    assert await billing.ask(CaptureMoney("o1"), ReleaseMoney("o2")) == ["MoneyCaptured", "MoneyReleased"]
    assert (await expiry_of(billing.service).sweep(), await balance(billing)) == (0, Balance(40, 0))
    assert await billing.rows("select hold_id from expiring_holds") == []


async def test_hold_that_is_known_is_not_held_for_longer(billing: AskedRoom) -> None:
    await billing.ask(HoldMoneyFor("o1", "ann", 60, 10.0))
    assert await billing.ask(HoldMoneyFor("o1", "ann", 60, 99.0)) == ["MoneyHeld"]
    assert await billing.rows("select expires_at from expiring_holds") == [(1010.0,)]
