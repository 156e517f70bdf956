"""What billing does when it is asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from amends import Participant, Refusal, Reply, Tx
from shop.billing import domain
from shop.billing.contract import (
    CaptureMoney,
    FindWallet,
    HoldGone,
    HoldMoney,
    HoldMoneyFor,
    InsufficientFunds,
    LeaveWallet,
    MoneyCaptured,
    MoneyHeld,
    MoneyRefunded,
    MoneyReleased,
    MoneyReturned,
    MoneyTaken,
    NoSuchWallet,
    OpenWallet,
    RefundMoney,
    ReleaseMoney,
    ReturnMoney,
    TakeMoney,
    WalletFound,
    WalletLeft,
    WalletOpened,
)
from shop.billing.domain import Balance, Hold, HoldState, Verdict, totals
from shop.billing.held import delete_expiry, insert_expiry
from shop.billing.tables import (
    REVENUE,
    Transfer,
    change_accounts,
    change_holds,
    find_holds,
    insert_holds,
    insert_transfers,
    lock_free,
    open_wallet,
    wallet,
)
from shop.billing.transactions import number_transfers

billing = Participant("billing")

Answers = list[Reply | Refusal]
Rule = Callable[[HoldState | None], Verdict]
Making = Callable[[Hold | None, Hold, int], Verdict]

_REFUSALS = {Verdict.GONE: HoldGone(), Verdict.SHORT: InsufficientFunds()}


@billing.handles(OpenWallet)
async def open_one(tx: Tx, command: OpenWallet) -> WalletOpened:
    await open_wallet(tx, command.wallet_id)
    return WalletOpened()


@billing.handles(FindWallet)
async def find_one(tx: Tx, command: FindWallet) -> WalletFound | NoSuchWallet:
    return NoSuchWallet() if await wallet(tx, command.wallet_id) is None else WalletFound()


@billing.handles(LeaveWallet)
async def leave_one(_: Tx, __: LeaveWallet) -> WalletLeft:
    return WalletLeft()


@billing.handles_many(HoldMoney)
async def hold_money(tx: Tx, commands: Sequence[HoldMoney]) -> Answers:
    answers, _ = await _hold(tx, commands)
    return answers


@billing.handles_many(HoldMoneyFor)
async def hold_money_for(tx: Tx, commands: Sequence[HoldMoneyFor]) -> Answers:
    answers, fresh = await _hold(tx, commands)
    await insert_expiry(tx, [(each.hold_id, tx.now + each.stands_s) for each in commands if each.hold_id in fresh])
    return answers


@billing.handles_many(TakeMoney)
async def take_money(tx: Tx, commands: Sequence[TakeMoney]) -> Answers:
    asked = [(each.payment_id, Hold(each.wallet_id, each.amount_minor, HoldState.CAPTURED)) for each in commands]
    verdicts, taken = await _make(tx, asked, domain.pay)
    if taken:
        sums = totals(taken.values())
        changes = {id: Balance(-total, 0) for id, total in sums.items()}
        await change_accounts(tx, {**changes, REVENUE: Balance(sum(sums.values()), 0)})
        await _record(tx, [_captured(id, hold, tx.now) for id, hold in taken.items()], taken.values())
    return _answers(verdicts, MoneyTaken())


@billing.handles_many(ReturnMoney)
async def return_money(tx: Tx, commands: Sequence[ReturnMoney]) -> Answers:
    verdicts, returned = await _move(tx, [each.payment_id for each in commands], domain.give_back, HoldState.REFUNDED)
    if returned:
        await _pay_back(tx, returned)
        await _record(tx, [_refunded(id, hold, tx.now) for id, hold in returned.items()], returned.values())
    return _answers(verdicts, MoneyReturned())


@billing.handles_many(CaptureMoney)
async def capture_money(tx: Tx, commands: Sequence[CaptureMoney]) -> Answers:
    return _answers(await capture(tx, [each.hold_id for each in commands]), MoneyCaptured())


@billing.handles_many(ReleaseMoney)
async def release_money(tx: Tx, commands: Sequence[ReleaseMoney]) -> Answers:
    verdicts, _ = await release(tx, [each.hold_id for each in commands])
    return _answers(verdicts, MoneyReleased())


@billing.handles_many(RefundMoney)
async def refund_money(tx: Tx, commands: Sequence[RefundMoney]) -> Answers:
    verdicts, moved = await _move(tx, [each.hold_id for each in commands], domain.refund, HoldState.REFUNDED)
    if moved:
        await _pay_back(tx, moved)
        await insert_transfers(tx, [_refunded(id, hold, tx.now) for id, hold in moved.items()])
    return _answers(verdicts, MoneyRefunded())


async def capture(tx: Tx, hold_ids: Sequence[str], revenue: str = REVENUE) -> list[Verdict]:
    """Captures those that are held, for an account of billing's own."""
    verdicts, moved = await _move(tx, hold_ids, domain.capture, HoldState.CAPTURED)
    if moved:
        sums = totals(moved.values())
        changes = {id: Balance(-total, -total) for id, total in sums.items()}
        await change_accounts(tx, {**changes, revenue: Balance(sum(sums.values()), 0)})
        await insert_transfers(tx, [_captured(id, hold, tx.now)._replace(credit=revenue) for id, hold in moved.items()])
    return verdicts


async def release(tx: Tx, hold_ids: Sequence[str]) -> tuple[list[Verdict], dict[str, Hold]]:
    """Releases those that are held; returns them as they were."""
    verdicts, moved = await _move(tx, hold_ids, domain.release, HoldState.RELEASED)
    if moved:
        await change_accounts(tx, {id: Balance(0, -total) for id, total in totals(moved.values()).items()})
    return verdicts, moved


async def expire(tx: Tx, hold_ids: Sequence[str]) -> int:
    """Releases those whose time has come; what was captured meanwhile stays so. Returns how many were held."""
    await delete_expiry(tx, hold_ids)
    _, released = await release(tx, hold_ids)
    return len(released)


async def _hold(tx: Tx, commands: Sequence[HoldMoney] | Sequence[HoldMoneyFor]) -> tuple[Answers, dict[str, Hold]]:
    """Also the holds that are new."""
    asked = [(each.hold_id, Hold(each.wallet_id, each.amount_minor, HoldState.HELD)) for each in commands]
    verdicts, fresh = await _make(tx, asked, domain.hold)
    if fresh:
        await change_accounts(tx, {id: Balance(0, total) for id, total in totals(fresh.values()).items()})
    return _answers(verdicts, MoneyHeld()), fresh


async def _make(tx: Tx, asked: Sequence[tuple[str, Hold]], rule: Making) -> tuple[list[Verdict], dict[str, Hold]]:
    """Makes those holds that the rule lets; what one takes, those behind it don't have."""
    holds = await find_holds(tx, [id for id, _ in asked])
    free = await lock_free(tx, [hold.wallet_id for _, hold in asked])
    verdicts: list[Verdict] = []
    fresh: dict[str, Hold] = {}
    for id, hold in asked:
        verdicts.append(rule(holds.get(id), hold, free.get(hold.wallet_id, 0)))
        if verdicts[-1] is Verdict.DO:
            holds[id] = fresh[id] = hold
            free[hold.wallet_id] -= hold.amount_minor
    await insert_holds(tx, fresh)
    return verdicts, fresh


async def _pay_back(tx: Tx, captured: Mapping[str, Hold]) -> None:
    sums = totals(captured.values())
    changes = {id: Balance(total, 0) for id, total in sums.items()}
    await change_accounts(tx, {**changes, REVENUE: Balance(-sum(sums.values()), 0)})


async def _record(tx: Tx, transfers: Sequence[Transfer], holds: Iterable[Hold]) -> None:
    """Into the ledger, under numbers."""
    await insert_transfers(tx, transfers)
    ids = (transfer.id for transfer in transfers)
    await number_transfers(tx, {id: hold.wallet_id for id, hold in zip(ids, holds, strict=True)})


async def _move(tx: Tx, ids: Sequence[str], rule: Rule, after: HoldState) -> tuple[list[Verdict], dict[str, Hold]]:
    """Moves those holds that the rule lets; returns them as they were."""
    holds = await find_holds(tx, ids)
    verdicts = [rule(holds[id].state if id in holds else None) for id in ids]
    moved = {id: holds[id] for id, verdict in zip(ids, verdicts, strict=True) if verdict is Verdict.DO}
    await change_holds(tx, moved, after)
    return verdicts, moved


def _captured(id: str, hold: Hold, now: float) -> Transfer:
    return Transfer(f"{id}/capture", hold.wallet_id, REVENUE, hold.amount_minor, "capture", now)


def _refunded(id: str, hold: Hold, now: float) -> Transfer:
    return Transfer(f"{id}/refund", REVENUE, hold.wallet_id, hold.amount_minor, "refund", now)


def _answers(verdicts: Sequence[Verdict], done: Reply) -> Answers:
    answers: dict[Verdict, Reply | Refusal] = {Verdict.DO: done, Verdict.DONE: done, **_REFUSALS}
    return [answers[verdict] for verdict in verdicts]
