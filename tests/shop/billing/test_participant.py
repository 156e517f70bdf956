import pytest

from amends import Command
from amends.messages import Operation
from shop.billing.audit import audit
from shop.billing.contract import CaptureMoney, HoldMoney, OpenWallet, RefundMoney, ReleaseMoney
from shop.billing.domain import Balance
from shop.billing.tables import deposit, open_wallet, wallet
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ann_has_a_hundred(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "ann")
    await billing.do(deposit, "d1", "ann", 100)


async def balance(billing: AskedRoom, wallet_id: str = "ann") -> Balance | None:
    found: Balance | None = await billing.see(wallet, wallet_id)
    return found


async def transfers(billing: AskedRoom) -> list[tuple[str, str, str, int]]:
    rows = await billing.rows(
        "select id, debit, credit, amount_minor from transfers where kind <> 'deposit' order by id"
    )
    return [(id, debit, credit, amount) for id, debit, credit, amount in rows]


async def test_opened_wallet_is_empty_and_opening_again_changes_nothing(billing: AskedRoom) -> None:
    assert await billing.ask(OpenWallet("bob"), OpenWallet("ann")) == ["WalletOpened", "WalletOpened"]
    assert (await balance(billing, "bob"), await balance(billing)) == (Balance(0, 0), Balance(100, 0))


async def test_held_money_stays_in_the_balance_but_is_not_free(billing: AskedRoom) -> None:
    assert await billing.ask(HoldMoney("o1", "ann", 70)) == ["MoneyHeld"]
    assert await balance(billing) == Balance(100, 70)
    assert await billing.ask(HoldMoney("o2", "ann", 31)) == ["InsufficientFunds"]
    assert await billing.ask(HoldMoney("o3", "ann", 30)) == ["MoneyHeld"]
    assert await balance(billing) == Balance(100, 100)


@pytest.mark.parametrize(
    "command",
    [
        HoldMoney("o1", "nobody", 1),
        HoldMoney("o1", "external", 1),
        HoldMoney("o1", "revenue", 1),
        HoldMoney("o1", "ann", 0),
        HoldMoney("o1", "ann", -5),
        HoldMoney("o1", "ann", 10**30),
    ],
    ids=repr,
)
async def test_money_that_is_not_there_is_refused(billing: AskedRoom, command: HoldMoney) -> None:
    assert await billing.ask(command) == ["InsufficientFunds"]
    assert await balance(billing) == Balance(100, 0)
    assert await billing.rows("select * from holds") == []


async def test_race_for_the_last_money_has_as_many_winners_as_there_is(billing: AskedRoom) -> None:
    answers = await billing.ask(*[HoldMoney(f"o{n}", "ann", 10) for n in range(200)])
    assert answers == ["MoneyHeld"] * 10 + ["InsufficientFunds"] * 190
    assert await balance(billing) == Balance(100, 100)
    assert await billing.broken(audit) == []


async def test_smaller_amount_still_fits_behind_a_refused_one(billing: AskedRoom) -> None:
    asked = [HoldMoney("o1", "ann", 60), HoldMoney("o2", "ann", 60), HoldMoney("o3", "ann", 40)]
    assert await billing.ask(*asked) == ["MoneyHeld", "InsufficientFunds", "MoneyHeld"]


async def test_one_hold_asked_by_two_sagas_is_held_once(billing: AskedRoom) -> None:
    assert await billing.ask(HoldMoney("o1", "ann", 60), HoldMoney("o1", "ann", 60)) == ["MoneyHeld", "MoneyHeld"]
    assert await billing.ask(HoldMoney("o1", "ann", 60)) == ["MoneyHeld"]
    assert await billing.ask(HoldMoney("o1", "ann", 61)) == ["HoldGone"]
    assert await balance(billing) == Balance(100, 60)


async def test_captured_money_goes_to_revenue(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 70), HoldMoney("o2", "ann", 5))
    assert await billing.ask(CaptureMoney("o1")) == ["MoneyCaptured"]
    assert await balance(billing) == Balance(30, 5)
    assert await transfers(billing) == [("o1/capture", "ann", "revenue", 70)]
    assert await billing.rows("select balance_minor from accounts where id = 'revenue'") == [(70,)]
    assert await billing.broken(audit) == []


async def test_released_money_is_free_again(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 70))
    assert await billing.ask(ReleaseMoney("o1")) == ["MoneyReleased"]
    assert await balance(billing) == Balance(100, 0)
    assert await transfers(billing) == []


async def test_refunded_money_comes_back_from_revenue(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 70))
    await billing.ask(CaptureMoney("o1"))
    assert await billing.ask(RefundMoney("o1")) == ["MoneyRefunded"]
    assert await balance(billing) == Balance(100, 0)
    assert await transfers(billing) == [("o1/capture", "ann", "revenue", 70), ("o1/refund", "revenue", "ann", 70)]
    assert await billing.broken(audit) == []


@pytest.mark.parametrize(
    ("before", "command", "answer"),
    [
        ([], CaptureMoney("o1"), "HoldGone"),
        ([], RefundMoney("o1"), "HoldGone"),
        ([], ReleaseMoney("o1"), "MoneyReleased"),
        ([HoldMoney("o1", "ann", 70)], RefundMoney("o1"), "HoldGone"),
        ([HoldMoney("o1", "ann", 70), ReleaseMoney("o1")], CaptureMoney("o1"), "HoldGone"),
        ([HoldMoney("o1", "ann", 70), ReleaseMoney("o1")], ReleaseMoney("o1"), "MoneyReleased"),
        ([HoldMoney("o1", "ann", 70), ReleaseMoney("o1")], HoldMoney("o1", "ann", 70), "HoldGone"),
        ([HoldMoney("o1", "ann", 70), CaptureMoney("o1")], CaptureMoney("o1"), "MoneyCaptured"),
        ([HoldMoney("o1", "ann", 70), CaptureMoney("o1")], ReleaseMoney("o1"), "HoldGone"),
        ([HoldMoney("o1", "ann", 70), CaptureMoney("o1"), RefundMoney("o1")], RefundMoney("o1"), "MoneyRefunded"),
        ([HoldMoney("o1", "ann", 70), CaptureMoney("o1"), RefundMoney("o1")], CaptureMoney("o1"), "HoldGone"),
    ],
    ids=repr,
)
async def test_what_cannot_be_done_to_a_hold_changes_nothing(
    billing: AskedRoom, before: list[Command], command: Command, answer: str
) -> None:
    for each in before:
        await billing.ask(each)
    was = await billing.rows("select * from accounts order by id"), await billing.rows("select * from holds")
    assert await billing.ask(command) == [answer]
    now = await billing.rows("select * from accounts order by id"), await billing.rows("select * from holds")
    assert now == was


async def test_one_hold_captured_twice_in_a_batch_is_captured_once(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 70))
    assert await billing.ask(CaptureMoney("o1"), CaptureMoney("o1")) == ["MoneyCaptured", "MoneyCaptured"]
    assert await balance(billing) == Balance(30, 0)


async def test_batch_mixes_commands_of_different_orders(billing: AskedRoom) -> None:
    await billing.ask(HoldMoney("o1", "ann", 30), HoldMoney("o2", "ann", 20))
    answers = await billing.ask(CaptureMoney("o1"), ReleaseMoney("o2"), HoldMoney("o3", "ann", 50), CaptureMoney("o9"))
    assert answers == ["MoneyCaptured", "MoneyReleased", "MoneyHeld", "HoldGone"]
    assert await balance(billing) == Balance(70, 50)
    assert await billing.broken(audit) == []


async def test_hold_that_comes_after_its_release_is_refused(billing: AskedRoom) -> None:
    release = billing.envelope(ReleaseMoney("o1"), saga="s", operation=Operation.COMPENSATION)
    assert await billing.deliver([release]) == ["Done"]
    assert await billing.deliver([billing.envelope(HoldMoney("o1", "ann", 70), saga="s")]) == ["AlreadyCompensated"]
    assert await balance(billing) == Balance(100, 0)
