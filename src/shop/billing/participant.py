"""What billing does when it is asked."""

from collections.abc import Callable, Sequence

from amends import Participant, Refusal, Reply, Tx
from shop.billing import domain
from shop.billing.contract import (
    CaptureMoney,
    HoldGone,
    HoldMoney,
    InsufficientFunds,
    MoneyCaptured,
    MoneyHeld,
    MoneyRefunded,
    MoneyReleased,
    OpenWallet,
    RefundMoney,
    ReleaseMoney,
    WalletOpened,
)
from shop.billing.domain import Balance, Hold, HoldState, Verdict, totals
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
)

billing = Participant("billing")

Answers = list[Reply | Refusal]
Rule = Callable[[HoldState | None], Verdict]

_REFUSALS = {Verdict.GONE: HoldGone(), Verdict.SHORT: InsufficientFunds()}


@billing.handles(OpenWallet)
async def open_one(tx: Tx, command: OpenWallet) -> WalletOpened:
    await open_wallet(tx, command.wallet_id)
    return WalletOpened()


@billing.handles_many(HoldMoney)
async def hold_money(tx: Tx, commands: Sequence[HoldMoney]) -> Answers:
    holds = await find_holds(tx, [each.hold_id for each in commands])
    free = await lock_free(tx, [each.wallet_id for each in commands])
    fresh: dict[str, Hold] = {}
    verdicts = [_hold(each, holds, free, fresh) for each in commands]
    if fresh:
        await insert_holds(tx, fresh)
        await change_accounts(tx, {id: Balance(0, total) for id, total in totals(fresh.values()).items()})
    return _answers(verdicts, MoneyHeld())


@billing.handles_many(CaptureMoney)
async def capture_money(tx: Tx, commands: Sequence[CaptureMoney]) -> Answers:
    verdicts, moved = await _move(tx, [each.hold_id for each in commands], domain.capture, HoldState.CAPTURED)
    if moved:
        sums = totals(moved.values())
        changes = {id: Balance(-total, -total) for id, total in sums.items()}
        await change_accounts(tx, {**changes, REVENUE: Balance(sum(sums.values()), 0)})
        await insert_transfers(tx, [_captured(id, hold, tx.now) for id, hold in moved.items()])
    return _answers(verdicts, MoneyCaptured())


@billing.handles_many(ReleaseMoney)
async def release_money(tx: Tx, commands: Sequence[ReleaseMoney]) -> Answers:
    verdicts, moved = await _move(tx, [each.hold_id for each in commands], domain.release, HoldState.RELEASED)
    if moved:
        await change_accounts(tx, {id: Balance(0, -total) for id, total in totals(moved.values()).items()})
    return _answers(verdicts, MoneyReleased())


@billing.handles_many(RefundMoney)
async def refund_money(tx: Tx, commands: Sequence[RefundMoney]) -> Answers:
    verdicts, moved = await _move(tx, [each.hold_id for each in commands], domain.refund, HoldState.REFUNDED)
    if moved:
        sums = totals(moved.values())
        changes = {id: Balance(total, 0) for id, total in sums.items()}
        await change_accounts(tx, {**changes, REVENUE: Balance(-sum(sums.values()), 0)})
        await insert_transfers(tx, [_refunded(id, hold, tx.now) for id, hold in moved.items()])
    return _answers(verdicts, MoneyRefunded())


def _hold(command: HoldMoney, holds: dict[str, Hold], free: dict[str, int], fresh: dict[str, Hold]) -> Verdict:
    """Decides, and notes the effect for the commands behind this one."""
    id, wallet_id = command.hold_id, command.wallet_id
    asked = Hold(wallet_id, command.amount_minor, HoldState.HELD)
    verdict = domain.hold(holds.get(id), asked, free.get(wallet_id, 0))
    if verdict is Verdict.DO:
        holds[id] = fresh[id] = asked
        free[wallet_id] -= asked.amount_minor
    return verdict


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
