import pytest

from amends.errors import Conflict
from shop.billing.contract import CaptureMoney, HoldMoney, RefundMoney
from shop.billing.domain import MOST_MINOR, Balance, Hold, HoldState
from shop.billing.tables import (
    Transfer,
    change_accounts,
    change_holds,
    deposit,
    entries,
    insert_transfers,
    open_wallet,
    wallet,
)
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ann_has_a_hundred(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "ann")
    await billing.do(deposit, "d1", "ann", 100)


async def test_deposit_returns_the_new_balance(billing: AskedRoom) -> None:
    assert await billing.do(deposit, "d2", "ann", 11) == Balance(111, 0)


async def test_deposit_with_the_same_id_is_made_once(billing: AskedRoom) -> None:
    assert await billing.do(deposit, "d1", "ann", 100) == Balance(100, 0)


@pytest.mark.parametrize("wallet_id", ["nobody", "external", "revenue"])
async def test_deposit_needs_a_wallet(billing: AskedRoom, wallet_id: str) -> None:
    assert await billing.do(deposit, "d2", wallet_id, 1) is None
    assert await billing.see(wallet, wallet_id) is None


@pytest.mark.parametrize("amount", [0, -1, MOST_MINOR + 1, 10**30])
async def test_deposit_of_no_amount_is_an_error(billing: AskedRoom, amount: int) -> None:
    with pytest.raises(ValueError, match="d2"):
        await billing.do(deposit, "d2", "ann", amount)
    assert await billing.see(wallet, "ann") == Balance(100, 0)


async def test_wallet_is_opened_once(billing: AskedRoom) -> None:
    assert await billing.do(open_wallet, "bob", "queue-saga") is True
    assert await billing.do(open_wallet, "bob", "other") is False
    assert await billing.rows("select scope from accounts where id = 'bob'") == [("queue-saga",)]


@pytest.mark.parametrize("wallet_id", ["external", "revenue"])
async def test_wallet_cannot_take_the_name_of_an_account_of_billing(billing: AskedRoom, wallet_id: str) -> None:
    with pytest.raises(ValueError, match=wallet_id):
        await billing.do(open_wallet, wallet_id)


async def test_entries_are_the_lines_of_one_wallet_newest_first(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "bob")
    await billing.do(deposit, "d2", "bob", 5)
    for command in (HoldMoney("o1", "ann", 70), CaptureMoney("o1"), RefundMoney("o1")):
        billing.runtime.time += 1
        await billing.ask(command)
    seen = await billing.see(entries, "ann", 10)
    assert [tuple(each) for each in seen] == [
        ("o1/refund", 70, "refund", 1003.0),
        ("o1/capture", -70, "capture", 1002.0),
        ("d1", 100, "deposit", 1000.0),
    ]


async def test_pages_of_entries_join_without_a_gap_even_at_one_time(billing: AskedRoom) -> None:
    for n in range(2, 8):
        await billing.do(deposit, f"d{n}", "ann", n)
    pages: list[str] = []
    after = None
    while page := await billing.see(entries, "ann", 2, after):
        pages += [each.id for each in page]
        after = page[-1].id
    assert pages == ["d7", "d6", "d5", "d4", "d3", "d2", "d1"]


async def test_no_entries_follow_an_unknown_one(billing: AskedRoom) -> None:
    assert await billing.see(entries, "ann", 10, "nonsense") == []


@pytest.mark.parametrize(
    "sql",
    [
        "update accounts set held_minor = 101 where id = 'ann'",
        "update accounts set balance_minor = -1 where id = 'ann'",
        "update accounts set held_minor = -1 where id = 'ann'",
        "update accounts set held_minor = 1 where id = 'revenue'",
        "update accounts set balance_minor = 9000000000000000001 where id = 'revenue'",
        "update accounts set kind = 'gift' where id = 'ann'",
        "insert into holds (id, account, amount_minor, state) values ('h', 'ann', 0, 'held')",
        "insert into holds (id, account, amount_minor, state) values ('h', 'ann', 1, 'lost')",
        "insert into holds (id, account, amount_minor, state) values ('h', 'nobody', 1, 'held')",
        "insert into transfers values ('t', 'ann', 'ann', 1, 'capture', 0)",
        "insert into transfers values ('t', 'ann', 'revenue', 0, 'capture', 0)",
        "insert into transfers values ('t', 'ann', 'revenue', -1, 'capture', 0)",
        "insert into transfers values ('t', 'ann', null, 1, 'capture', 0)",
        "insert into transfers values ('t', 'nobody', 'revenue', 1, 'capture', 0)",
        "insert into transfers values ('t', 'ann', 'revenue', 1, 'gift', 0)",
        "insert into transfers values ('d1', 'ann', 'revenue', 1, 'capture', 0)",
        "delete from accounts where id = 'ann'",
    ],
)
async def test_database_refuses_what_the_rules_forbid(billing: AskedRoom, sql: str) -> None:
    assert await billing.forbids(sql)


async def test_each_transfer_is_two_postings_that_sum_to_zero(billing: AskedRoom) -> None:
    await billing.force("insert into transfers values ('t', 'ann', 'revenue', 7, 'capture', 0)")
    rows = await billing.rows("select account, amount_minor from postings where id = 't' order by account")
    assert rows == [("ann", -7), ("revenue", 7)]


async def test_writes_on_changed_rows_conflict(billing: AskedRoom) -> None:
    with pytest.raises(Conflict, match="an account"):
        await billing.do(change_accounts, {"ann": Balance(0, 101)})
    with pytest.raises(Conflict, match="an account"):
        await billing.do(change_accounts, {"ann": Balance(0, -1)})
    with pytest.raises(Conflict, match="a hold"):
        await billing.do(change_holds, {"o1": Hold("ann", 1, HoldState.HELD)}, HoldState.CAPTURED)
    await billing.ask(HoldMoney("o2", "ann", 1), CaptureMoney("o2"))
    with pytest.raises(Conflict, match="a hold"):
        await billing.do(change_holds, {"o2": Hold("ann", 1, HoldState.HELD)}, HoldState.RELEASED)
    with pytest.raises(Conflict, match="the ledger"):
        await billing.do(insert_transfers, [Transfer("d1", "ann", "revenue", 1, "capture", 0.0)])
