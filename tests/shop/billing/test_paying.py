"""Money taken out of a wallet at once, in one transaction with what is told of it."""

import asyncio

import pytest

from amends import Tx
from shop.billing.audit import audit
from shop.billing.contract import HoldMoney, MoneyPaidOut, PaymentRefused, RefundMoney
from shop.billing.domain import MOST_MINOR, Balance
from shop.billing.paying import pay
from shop.billing.tables import deposit, entries, open_wallet, wallet
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ann_has_a_hundred(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "ann")
    await billing.do(deposit, "d1", "ann", 100)


async def told(billing: AskedRoom, id: str, amount: int) -> list[object]:
    """What one payment tells."""

    async def look(tx: Tx) -> list[object]:
        await pay(tx, id, "ann", amount)
        return [event for event, *_ in tx.told]

    events: list[object] = await billing.do(look)
    return events


async def test_payment_takes_money_and_is_a_line_of_the_wallet(billing: AskedRoom) -> None:
    assert await billing.do(pay, "p1", "ann", 49) is True
    assert await billing.see(wallet, "ann") == Balance(51, 0)
    assert [(each.kind, each.amount_minor) for each in await billing.see(entries, "ann", 1)] == [("capture", -49)]
    assert await billing.broken(audit) == []


async def test_payment_with_the_same_id_is_made_once_and_told_once(billing: AskedRoom) -> None:
    assert await told(billing, "p1", 49) == [MoneyPaidOut("ann", "p1", 49, 51)]
    assert await told(billing, "p1", 49) == []
    assert await billing.see(wallet, "ann") == Balance(51, 0)


async def test_refused_payment_changes_nothing_and_is_told(billing: AskedRoom) -> None:
    assert await billing.do(pay, "p1", "ann", 101) is False
    assert await told(billing, "p2", 101) == [PaymentRefused("ann", "p2", 101, 100)]
    assert await billing.see(wallet, "ann") == Balance(100, 0)
    assert await billing.rows("select * from holds") == []
    assert await billing.broken(audit) == []


async def test_money_that_is_held_can_not_be_paid_out(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 60))
    assert await billing.do(pay, "p1", "ann", 41) is False
    assert await billing.do(pay, "p2", "ann", 40) is True
    assert await billing.see(wallet, "ann") == Balance(60, 60)


async def test_payment_can_be_refunded(billing: AskedRoom) -> None:
    await billing.do(pay, "p1", "ann", 40)
    assert await billing.ask(RefundMoney("p1")) == ["MoneyRefunded"]
    assert await billing.see(wallet, "ann") == Balance(100, 0)
    assert await billing.broken(audit) == []


@pytest.mark.parametrize("wallet_id", ["nobody", "external", "revenue"])
async def test_payment_needs_a_wallet(billing: AskedRoom, wallet_id: str) -> None:
    assert await billing.do(pay, "p1", wallet_id, 1) is None


@pytest.mark.parametrize("amount", [0, -1, MOST_MINOR + 1, 10**30])
async def test_payment_of_no_amount_is_an_error(billing: AskedRoom, amount: int) -> None:
    with pytest.raises(ValueError, match="p1"):
        await billing.do(pay, "p1", "ann", amount)


async def test_id_of_something_else_is_an_error(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 10))
    for amount in (10, 11):
        with pytest.raises(ValueError, match="o1"):
            await billing.do(pay, "o1", "ann", amount)


async def test_payments_that_race_for_the_last_money_leave_no_debt(billing: AskedRoom) -> None:
    async def one(n: int) -> bool | None:
        return await billing.service.transact(lambda tx: pay(tx, f"p{n}", "ann", 30))

    paid = await asyncio.gather(*(one(n) for n in range(24)))
    assert sorted(map(bool, paid)) == [False] * 21 + [True] * 3
    assert await billing.see(wallet, "ann") == Balance(10, 0)
    assert await billing.broken(audit) == []
