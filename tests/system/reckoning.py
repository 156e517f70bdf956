"""Counts a settled shop again from what its API says: nobody's money, no piece and no courier is lost or made."""

from collections import Counter

from tests.system.intents import GOLD, HOT, NARROW, PLUM, RARE, WIDE, Intent, end_of
from tests.system.load import AT_THE_GATEWAY, Load
from tests.system.people import Buyer, Document

TOO_LATE = "unavailable"  # a shop that was away for longer than a step's patience may turn an order back


async def reckon(load: Load, most_late: float = 0.1) -> Counter[str]:
    """How the orders have ended. Fails where anything doesn't add up, or more than that share came too late."""
    assert not load.waiting
    orders = {each["id"]: each for buyer in load.buyers for each in await orders_of(load, buyer)}
    approved = [each for each in orders.values() if each["status"] == "approved"]
    await _count_goods(load, approved)
    figures = await load.operator.check()
    by_card = sum(each["total_minor"] for each in approved if each["pay_with"] != "wallet")
    assert figures[AT_THE_GATEWAY]["captured_minor"] - load.captured_before_minor == by_card
    await load.storefront.reckon()
    ends = Counter(end_of(each) for each in orders.values())
    assert ends[TOO_LATE] <= len(orders) * most_late, ends
    return ends


async def orders_of(load: Load, buyer: Buyer) -> list[Document]:
    """Exactly those that were answered, each as it had to end, and the buyer's money is right."""
    orders = await buyer.orders()
    wanted = {each.outcome: each for each in load.answered if each.buyer is buyer and each.placed}
    keys = [each.key for each in load.answered if each.buyer is buyer and each.placed]
    assert len(wanted) == len(keys) == len(set(keys))
    assert sorted(each["id"] for each in orders) == sorted(wanted)
    for order in orders:
        check_end(wanted[order["id"]], order)
    await _count_money(load, buyer, orders)
    return orders


def check_end(intent: Intent, order: Document) -> None:
    """A cancellation that was accepted leaves no approved order; one that was refused, a rejected one."""
    end = end_of(order)
    if end == "cancelled":
        assert intent.cancel is not None, order
    else:
        assert end in intent.ends | {TOO_LATE}, (intent, order)
    if intent.cancel is not None:
        refused = intent.cancel.outcome == "order-rejected"
        assert order["status"] == "rejected" if refused else order["status"] != "approved", (intent.cancel, order)
    elif intent.final:
        assert end == intent.final, (intent, order)


async def _count_money(load: Load, buyer: Buyer, orders: list[Document]) -> None:
    deposits = [each for each in load.answered if each.buyer is buyer and each.path.endswith("/deposits")]
    paid_in = sum(each.body["amount_minor"] for each in deposits if each.body)
    spent = sum(each["total_minor"] for each in orders if each["status"] == "approved" and each["pay_with"] == "wallet")
    wallet = await buyer.wallet()
    assert (wallet["balance_minor"], wallet["held_minor"]) == (paid_in - spent, 0), buyer.email
    assert sum(each["amount_minor"] for each in await buyer.entries()) == paid_in - spent, buyer.email


async def _count_goods(load: Load, approved: list[Document]) -> None:
    sold: Counter[str] = Counter()
    for order in approved:
        sold.update({each["sku"]: each["quantity"] for each in order["items"]})
    available = await load.buyers[0].products()
    assert {sku: load.on_hand[sku] - available[sku] for sku in (PLUM, HOT, GOLD, RARE)} == {
        sku: sold[sku] for sku in (PLUM, HOT, GOLD, RARE)
    }
    booked = Counter(each["slot"] for each in approved)
    for slot in (WIDE, NARROW):
        assert await load.buyers[0].couriers(slot) == load.couriers[slot] - booked[slot]
