"""Payments of sagas, and what the owner of a wallet does by hand: all of it under numbers, in the ledger."""

import pytest

from amends.errors import KeyReused
from amends.messages import Operation
from shop.billing.audit import audit
from shop.billing.contract import (
    FindWallet,
    HoldMoney,
    LeaveWallet,
    ReleaseMoney,
    ReturnMoney,
    TakeMoney,
)
from shop.billing.domain import Balance, TransactionKind, Verdict
from shop.billing.tables import deposit, open_wallet, wallet
from shop.billing.transacting import transact
from shop.billing.transactions import transactions
from tests.shop.conftest import AskedRoom

DEPOSIT, CAPTURE, REFUND = TransactionKind


@pytest.fixture(autouse=True)
async def ann_has_a_hundred(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "ann")
    await billing.do(deposit, "d1", "ann", 100)


async def act(billing: AskedRoom, id: str, kind: TransactionKind, amount: int, wallet_id: str = "ann") -> object:
    """The number of the transaction, or the verdict."""
    made = await billing.do(transact, id, wallet_id, kind, amount)
    return made if isinstance(made, Verdict) else made.number


async def seen(billing: AskedRoom, wallet_id: str = "ann") -> list[tuple[int, str, int]]:
    found = await billing.see(transactions, wallet_id, 100)
    return [(each.number, each.kind.value, each.amount_minor) for each in found]


async def balance(billing: AskedRoom) -> Balance | None:
    found: Balance | None = await billing.see(wallet, "ann")
    return found


async def sound(billing: AskedRoom) -> bool:
    return await billing.broken(audit) == []


async def test_wallet_is_found_or_not_and_leaving_it_is_nothing(billing: AskedRoom) -> None:
    asked = (FindWallet("ann"), FindWallet("bob"), FindWallet("revenue"), LeaveWallet("ann"))
    assert await billing.ask(*asked) == ["WalletFound", "NoSuchWallet", "NoSuchWallet", "WalletLeft"]


async def test_payment_goes_off_the_wallet_at_once_and_comes_back_once(billing: AskedRoom) -> None:
    assert await billing.ask(TakeMoney("o1", "ann", 70)) == ["MoneyTaken"]
    assert await balance(billing) == Balance(30, 0)
    assert await billing.ask(ReturnMoney("o1"), ReturnMoney("o1")) == ["MoneyReturned", "MoneyReturned"]
    assert await balance(billing) == Balance(100, 0)
    assert await seen(billing) == [(2, "refund", 70), (1, "capture", 70)]
    assert await sound(billing)


async def test_too_little_money_pays_nothing_and_held_money_is_not_there(billing: AskedRoom) -> None:
    assert await billing.ask(HoldMoney("h", "ann", 40)) == ["MoneyHeld"]
    answers = await billing.ask(TakeMoney("o1", "ann", 61), TakeMoney("o2", "ann", 60), TakeMoney("o3", "ann", 1))
    assert answers == ["InsufficientFunds", "MoneyTaken", "InsufficientFunds"]
    assert await billing.ask(TakeMoney("o4", "bob", 1), TakeMoney("o5", "ann", -1)) == ["InsufficientFunds"] * 2
    assert (await balance(billing), await seen(billing)) == (Balance(40, 40), [(1, "capture", 60)])
    assert await sound(billing)


async def test_payment_asked_by_another_saga_is_the_same_and_another_one_is_refused(billing: AskedRoom) -> None:
    assert await billing.ask(TakeMoney("o1", "ann", 10)) == ["MoneyTaken"]
    assert await billing.ask(TakeMoney("o1", "ann", 10), TakeMoney("o1", "ann", 11)) == ["MoneyTaken", "HoldGone"]
    assert await billing.ask(ReturnMoney("o1")) == ["MoneyReturned"]
    assert await billing.ask(TakeMoney("o1", "ann", 10)) == ["HoldGone"]
    assert await balance(billing) == Balance(100, 0)


async def test_compensation_before_its_payment_leaves_nothing_to_pay(billing: AskedRoom) -> None:
    undo = billing.envelope(ReturnMoney("o1"), "saga", Operation.COMPENSATION)
    late = billing.envelope(TakeMoney("o1", "ann", 10), "saga")
    assert await billing.deliver([undo]) == ["Done"]
    assert await billing.deliver([late]) == ["AlreadyCompensated"]
    assert await balance(billing) == Balance(100, 0)


async def test_nothing_paid_is_nothing_to_return_and_a_hold_is_not_returned(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("h1", "ann", 10), HoldMoney("h2", "ann", 10))
    await billing.ask(ReleaseMoney("h2"))
    answers = await billing.ask(ReturnMoney("o1"), ReturnMoney("h1"), ReturnMoney("h2"))
    assert answers == ["MoneyReturned", "HoldGone", "MoneyReturned"]
    assert (await balance(billing), await seen(billing)) == (Balance(100, 10), [])


async def test_transactions_by_hand_move_money_and_have_growing_numbers(billing: AskedRoom) -> None:
    acts = [("t1", DEPOSIT, 50), ("t2", CAPTURE, 120), ("t3", REFUND, 20)]
    assert [await act(billing, *each) for each in acts] == [1, 2, 3]
    assert await balance(billing) == Balance(50, 0)
    assert await seen(billing) == [(3, "refund", 20), (2, "capture", 120), (1, "deposit", 50)]
    assert [each.number for each in await billing.see(transactions, "ann", 1, 3)] == [2]
    assert await sound(billing)


async def test_the_same_id_is_the_same_transaction_and_another_one_is_refused(billing: AskedRoom) -> None:
    assert [await act(billing, "t1", CAPTURE, 60) for _ in range(2)] == [1, 1]
    for kind, amount in ((CAPTURE, 61), (DEPOSIT, 60), (REFUND, 60)):
        with pytest.raises(KeyReused):
            await act(billing, "t1", kind, amount)
    assert await balance(billing) == Balance(40, 0)


async def test_refunds_by_hand_never_exceed_payments_by_hand(billing: AskedRoom) -> None:
    await billing.ask(TakeMoney("o1", "ann", 50))
    assert await act(billing, "t1", REFUND, 1) is Verdict.SHORT, "a saga's payment is not to be taken back by hand"
    await act(billing, "t2", CAPTURE, 30)
    assert await act(billing, "t3", REFUND, 31) is Verdict.SHORT
    assert await act(billing, "t4", REFUND, 20) == 3
    assert await act(billing, "t5", REFUND, 11) is Verdict.SHORT
    assert await act(billing, "t6", REFUND, 10) == 4
    assert await act(billing, "t7", REFUND, 1) is Verdict.SHORT
    assert await billing.ask(ReturnMoney("o1")) == ["MoneyReturned"]
    assert await balance(billing) == Balance(100, 0)
    assert await sound(billing)


async def test_payment_by_hand_needs_its_money_and_its_wallet(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("h", "ann", 40))
    assert await act(billing, "t1", CAPTURE, 61) is Verdict.SHORT
    for kind in TransactionKind:
        assert await act(billing, "t2", kind, 1, "bob") is Verdict.GONE
        assert await act(billing, "t3", kind, 1, "revenue") is Verdict.GONE
    assert (await balance(billing), await seen(billing)) == (Balance(100, 40), [])


@pytest.mark.parametrize("amount", [0, -1, 10**12 + 1])
async def test_transaction_of_no_amount_is_an_error(billing: AskedRoom, amount: int) -> None:
    for kind in TransactionKind:
        with pytest.raises(ValueError, match="t1"):
            await act(billing, "t1", kind, amount)


@pytest.mark.parametrize(
    "sql",
    [
        "insert into transactions values (1, 'ann', 'nothing', 0)",
        "insert into transactions values (1, 'nobody', 'd1', 0)",
        "insert into transactions values (1, 'ann', 'd1', 2)",
        "insert into last_transaction values (2, 0)",
        "insert into refundable values ('ann', -1)",
        "insert into refundable values ('nobody', 1)",
    ],
)
async def test_database_refuses_what_no_transaction_is(billing: AskedRoom, sql: str) -> None:
    assert await billing.forbids(sql)
