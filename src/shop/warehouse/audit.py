"""Is the warehouse consistent? What is reserved against the reservations."""

from amends.audit import Finding, Readers
from amends.connections import Reader

_SHOWN = 10

find_wrong_reserved = """
select stock.sku, reserved, coalesce(booked, 0)
from stock
left join (select sku, sum(quantity) as booked from reservations group by sku) sums on sums.sku = stock.sku
where reserved <> coalesce(booked, 0)
order by stock.sku
"""
find_oversold = """
select sku, on_hand, reserved
from stock
where reserved < 0 or reserved > on_hand
order by sku
"""
sum_stock = "select count(*), coalesce(sum(on_hand), 0), coalesce(sum(reserved), 0) from stock"
sum_reservations = "select count(*), coalesce(sum(quantity), 0) from reservations"


async def audit(readers: Readers) -> list[Finding]:
    """What has to hold inside the warehouse."""
    reader = readers["warehouse"]
    return [await _reserved(reader), await _oversold(reader)]


async def _reserved(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_wrong_reserved)
    reservations, quantity = (await reader.fetch(sum_reservations))[0]
    _, _, reserved = (await reader.fetch(sum_stock))[0]
    figures = {"reservations": reservations, "quantity": int(quantity), "reserved": int(reserved), "wrong": len(wrong)}
    shown = ", ".join(f"{sku}: {reserved} reserved, reservations {sum}" for sku, reserved, sum in wrong[:_SHOWN])
    holds = not wrong and quantity == reserved
    return Finding("warehouse: what is reserved is the sum of reservations", holds, figures, shown)


async def _oversold(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_oversold)
    skus, on_hand, reserved = (await reader.fetch(sum_stock))[0]
    figures = {"skus": skus, "on_hand": int(on_hand), "reserved": int(reserved), "wrong": len(wrong)}
    shown = ", ".join(f"{sku}: {reserved} reserved of {on_hand}" for sku, on_hand, reserved in wrong[:_SHOWN])
    return Finding("warehouse: nothing is oversold", not wrong, figures, shown)
