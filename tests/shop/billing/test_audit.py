import pytest

from shop.billing.audit import audit
from shop.billing.contract import CaptureMoney, HoldMoney, RefundMoney
from shop.billing.domain import TransactionKind
from shop.billing.tables import deposit, open_wallet
from shop.billing.transacting import transact
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ann_has_bought(billing: AskedRoom) -> None:
    await billing.do(open_wallet, "ann")
    await billing.do(deposit, "d1", "ann", 100)
    await billing.ask(HoldMoney("o1", "ann", 40), HoldMoney("o2", "ann", 10), HoldMoney("o3", "ann", 5))
    await billing.ask(CaptureMoney("o1"), CaptureMoney("o2"))
    await billing.ask(RefundMoney("o2"))
    await billing.do(transact, "t1", "ann", TransactionKind.CAPTURE, 10)
    await billing.do(transact, "t2", "ann", TransactionKind.REFUND, 2)


async def test_all_holds_in_a_shop_at_work_and_the_figures_say_how_much(billing: AskedRoom) -> None:
    findings = await billing.findings(audit)
    assert all(each.holds for each in findings)
    assert [dict(each.figures) for each in findings] == [
        {"accounts": 3, "wrong": 0},
        {"holds": 3, "held": 1, "wrong": 0},
        {"postings": 12, "posted_minor": 0, "balances_minor": 0},
        {"held_minor": 5, "wrong": 0},
        {"accounts": 1, "refundable_minor": 8, "wrong": 0},
    ]


BALANCES, HELD, ZERO, OVERDRAWN, REFUNDABLE = (
    "billing: balances are their postings",
    "billing: held money is the sum of holds",
    "billing: the ledger sums to zero",
    "billing: no wallet is overdrawn",
    "billing: what may be refunded by hand was paid by hand",
)


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("update accounts set balance_minor = balance_minor + 1 where id = 'ann'", [BALANCES, ZERO]),
        ("update transfers set amount_minor = 41 where id = 'o1/capture'", [BALANCES]),
        ("delete from transfers where id = 'o1/capture'", [BALANCES]),
        ("update accounts set held_minor = held_minor - 1 where id = 'ann'", [HELD]),
        ("update holds set state = 'released' where id = 'o3'", [HELD]),
        ("update holds set amount_minor = 6 where id = 'o3'", [HELD]),
        ("update accounts set held_minor = 61 where id = 'ann'", [HELD, OVERDRAWN]),
        ("update refundable set amount_minor = 9", [REFUNDABLE]),
        ("delete from refundable", [REFUNDABLE]),
        ("update transactions set by_hand = 0 where transfer = 't2'", [REFUNDABLE]),
        ("insert into refundable (account, amount_minor) values ('revenue', 1)", [REFUNDABLE]),
    ],
)
async def test_manipulated_row_is_found(billing: AskedRoom, sql: str, broken: list[str]) -> None:
    await billing.tamper(sql)
    assert await billing.broken(audit) == broken


async def test_finding_names_what_is_wrong(billing: AskedRoom) -> None:
    await billing.tamper("update accounts set balance_minor = 61 where id = 'ann'")
    await billing.tamper("update refundable set amount_minor = 9")
    findings = await billing.findings(audit)
    assert findings[0].detail == "ann has 61, posted 52"
    assert findings[4].detail == "ann may take 1 more back than it paid"
