"""Does every payment agree with what the gateway has?"""

from collections import Counter
from collections.abc import Sequence

from amends.audit import Finding, Readers
from amends.connections import Reader, Row
from shop.payments import gateway_tables, tables

_PAGE = 1000
_SUMS = ("authorized", "captured", "refunded")


async def audit(readers: Readers) -> list[Finding]:
    """Compares the databases `payments` and `gateway`; payments that wait for the gateway are left out."""
    payments, gateway = readers["payments"], readers["gateway"]
    seen, ours, theirs, wrong = 0, Counter[str](), Counter[str](), []
    after = ""
    while page := await payments.fetch(tables.settled_payments, (after, _PAGE)):
        records = await _records(gateway, page)
        ours += _sums(page)
        theirs += _sums(list(records.values()))
        wrong += [id for id, amount_minor, state in page if not _agree(amount_minor, state, records.get(id))]
        seen, after = seen + len(page), page[-1][0]
    unknown = await _foreign(payments, gateway)
    in_flight = (await payments.fetch(tables.payments_in_flight))[0][0]
    figures = {"payments": seen, "in_flight": in_flight, "differing": len(wrong), "unknown_here": len(unknown)}
    differing = ", ".join((wrong + unknown)[:10])
    return [
        Finding("payments agree with the gateway", not wrong and not unknown, figures, differing),
        _money(ours, theirs),
    ]


async def _records(gateway: Reader, page: Sequence[Row]) -> dict[str, Row]:
    keys = [row[0] for row in page]
    return {row[0]: row for row in await gateway.fetch_each(gateway_tables.known_authorizations, keys)}


def _sums(rows: Sequence[Row]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for _, amount_minor, state in rows:
        sums[state] += amount_minor
    return sums


def _agree(amount_minor: int, state: str, record: Row | None) -> bool:
    """A payment that was voided before its authorisation has no amount, on the side that saw the void first."""
    if record is None:
        return state == "voided"
    return bool(record[2] == state and (record[1] == amount_minor or state == "voided"))


async def _foreign(payments: Reader, gateway: Reader) -> list[str]:
    """Keys at the gateway that no payment has."""
    foreign: list[str] = []
    after = ""
    while page := await gateway.fetch(gateway_tables.page_of_keys, (after, _PAGE)):
        keys = [row[0] for row in page]
        known = {row[0] for row in await payments.fetch_each(tables.known_payments, keys)}
        foreign += [key for key in keys if key not in known]
        after = keys[-1]
    return foreign


def _money(ours: Counter[str], theirs: Counter[str]) -> Finding:
    """Minor units by state, on both sides."""
    figures = {f"{state}_minor": ours[state] for state in _SUMS}
    figures |= {f"gateway_{state}_minor": theirs[state] for state in _SUMS}
    holds = all(ours[state] == theirs[state] for state in _SUMS)
    return Finding("money at the gateway is what payments knows of", holds, figures)
