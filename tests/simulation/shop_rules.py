"""Rules of the shop that a test takes out, each by a patch: the simulated shop has to notice."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from amends.connections import Reader
from shop.billing import depositing, domain
from shop.billing.domain import Hold, Verdict
from shop.delivery import participant as delivery
from shop.notifications import participant as notifications
from shop.orders import desk, tables
from shop.orders.tables import Order
from shop.payments.caller import Caller
from shop.payments.domain import PaymentState
from shop.payments.tables import CardOperation
from shop.users import tokens
from shop.warehouse import participant as warehouse
from shop.web.problems import Answer

Patch = pytest.MonkeyPatch
TakenOut = Callable[[Patch], None]


def orders_are_their_buyers_own(patch: Patch) -> None:
    async def anybodys(reader: Reader, order_id: str, _: str) -> Order | None:
        return (await tables.load(reader, [order_id])).get(order_id)

    patch.setattr(desk, "_own", anybodys)


def signatures_of_tokens_are_checked(patch: Patch) -> None:
    patch.setitem(tokens._OPTIONS, "verify_signature", False)


def money_that_was_held_is_released(patch: Patch) -> None:
    patch.setattr(domain, "release", lambda _: Verdict.DONE)


def money_that_is_there_is_held(patch: Patch) -> None:
    """Only the order of all operations shows it: nothing is lost, and nothing is done twice."""
    hold = domain.hold

    def sparing(known: Hold | None, asked: Hold, free_minor: int) -> Verdict:
        return hold(known, asked, free_minor // 3)

    patch.setattr(domain, "hold", sparing)


def deposits_have_keys(patch: Patch) -> None:
    async def again(_: Any, __: Any, ___: Any, ____: Any, effect: Callable[[], Awaitable[Answer]]) -> Answer:
        return await effect()

    patch.setattr(depositing, "answer_once", again)


def unknown_is_not_declined(patch: Patch) -> None:
    find_out = Caller._find_out

    async def given_up(self: Caller, wanted: CardOperation) -> PaymentState | None:
        return await find_out(self, wanted) or PaymentState.DECLINED

    patch.setattr(Caller, "_find_out", given_up)


def couriers_are_unbooked(patch: Patch) -> None:
    async def nothing(*_: Any) -> None: ...

    patch.setattr(delivery, "unbook_slots", nothing)


def stock_that_is_there_is_reserved(patch: Patch) -> None:
    def sparing(quantities: Mapping[str, int], available: Mapping[str, int]) -> bool:
        return all(2 * quantity <= available.get(sku, 0) for sku, quantity in quantities.items())

    patch.setattr(warehouse, "fits", sparing)


def what_is_to_be_told_is_kept(patch: Patch) -> None:
    """Of every order that is approved, somebody is told: only the model of the room knows."""

    async def nothing(_: Any, kept: Sequence[Any]) -> int:
        return len(kept)

    patch.setattr(notifications, "insert_notifications", nothing)


RULES: tuple[TakenOut, ...] = (
    orders_are_their_buyers_own,
    signatures_of_tokens_are_checked,
    money_that_was_held_is_released,
    money_that_is_there_is_held,
    deposits_have_keys,
    unknown_is_not_declined,
    couriers_are_unbooked,
    stock_that_is_there_is_reserved,
    what_is_to_be_told_is_kept,
)
