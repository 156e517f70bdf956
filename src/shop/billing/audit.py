"""Is billing consistent? Balances against the ledger, held money against holds, refunds against payments."""

from amends.audit import Finding, Readers
from amends.connections import Reader

_SHOWN = 10

find_wrong_balances = """
select id, balance_minor, coalesce(posted, 0)
from accounts
left join (select account, sum(amount_minor) as posted from postings group by account) sums on account = id
where balance_minor <> coalesce(posted, 0)
order by id
"""
find_wrong_held = """
select accounts.id, held_minor, coalesce(held, 0)
from accounts
left join (
    select account, sum(amount_minor) as held from holds where state = 'held' group by account
) sums on account = accounts.id
where held_minor <> coalesce(held, 0)
order by accounts.id
"""
find_overdrawn = """
select id, balance_minor, held_minor
from accounts
where kind = 'wallet' and (balance_minor < held_minor or held_minor < 0)
order by id
"""
find_wrong_refundable = """
select account, sum(amount_minor)
from (
    select account, amount_minor from refundable
    union all
    select account, case kind when 'capture' then -amount_minor when 'refund' then amount_minor else 0 end
    from transactions join transfers on id = transfer
    where by_hand = 1
) sums
group by account
having sum(amount_minor) <> 0
order by account
"""
count_refundable = "select count(*), coalesce(sum(amount_minor), 0) from refundable"
sum_accounts = """
select count(*), coalesce(sum(balance_minor), 0), coalesce(sum(held_minor), 0) from accounts
"""
sum_postings = "select count(*), coalesce(sum(amount_minor), 0) from postings"
count_holds = """
select count(*), coalesce(sum(case when state = 'held' then 1 else 0 end), 0) from holds
"""


async def audit(readers: Readers) -> list[Finding]:
    """What has to hold inside billing."""
    reader = readers["billing"]
    checks = (_balances, _held, _zero, _overdrawn, _refundable)
    return [await check(reader) for check in checks]


async def _balances(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_wrong_balances)
    accounts, _, _ = (await reader.fetch(sum_accounts))[0]
    shown = ", ".join(f"{id} has {balance}, posted {posted}" for id, balance, posted in wrong[:_SHOWN])
    return Finding(
        "billing: balances are their postings", not wrong, {"accounts": accounts, "wrong": len(wrong)}, shown
    )


async def _held(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_wrong_held)
    holds, open_holds = (await reader.fetch(count_holds))[0]
    shown = ", ".join(f"{id} holds {held}, its holds are {sum}" for id, held, sum in wrong[:_SHOWN])
    figures = {"holds": holds, "held": int(open_holds), "wrong": len(wrong)}
    return Finding("billing: held money is the sum of holds", not wrong, figures, shown)


async def _zero(reader: Reader) -> Finding:
    """Postings by construction; balances are written apart from them."""
    postings, posted = (await reader.fetch(sum_postings))[0]
    _, balances, _ = (await reader.fetch(sum_accounts))[0]
    figures = {"postings": postings, "posted_minor": int(posted), "balances_minor": int(balances)}
    shown = "" if posted == balances == 0 else f"postings sum to {posted}, balances to {balances}"
    return Finding("billing: the ledger sums to zero", not shown, figures, shown)


async def _overdrawn(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_overdrawn)
    _, _, held = (await reader.fetch(sum_accounts))[0]
    shown = ", ".join(f"{id} has {balance} and holds {held}" for id, balance, held in wrong[:_SHOWN])
    return Finding("billing: no wallet is overdrawn", not wrong, {"held_minor": int(held), "wrong": len(wrong)}, shown)


async def _refundable(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_wrong_refundable)
    accounts, refundable = (await reader.fetch(count_refundable))[0]
    shown = ", ".join(f"{id} may take {more} more back than it paid" for id, more in wrong[:_SHOWN])
    figures = {"accounts": accounts, "refundable_minor": int(refundable), "wrong": len(wrong)}
    return Finding("billing: what may be refunded by hand was paid by hand", not wrong, figures, shown)
