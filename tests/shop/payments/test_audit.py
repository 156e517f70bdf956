"""The audit sees what does not agree."""

import pytest

from shop.payments.contract import AuthorizeCard
from shop.payments.gateway_wire import APPROVED
from tests.shop.payments.card_room import CardRoom, GatewayServer, audited

BREAKAGES = {
    "another state": "update authorizations set state = 'captured' where key = 'p'",
    "another amount": "update authorizations set amount_minor = 499 where key = 'p'",
    "money forgotten": "delete from authorizations where key = 'p'",
}


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES.keys())
async def test_audit_names_a_payment_that_differs(room: CardRoom, gateway: GatewayServer, breakage: str) -> None:
    room.ask(AuthorizeCard("p", APPROVED, 500), "p")
    room.ask(AuthorizeCard("q", APPROVED, 700), "q")
    await room.replies(2)
    async with gateway.storage.transaction(room.runtime.now()) as tx:
        assert await tx.run(breakage) == 1
    agree, money = await audited(room, gateway)
    assert (agree.holds, agree.detail, agree.figures["differing"]) == (False, "p", 1)
    assert not money.holds


async def test_audit_names_money_that_no_payment_asked_for(room: CardRoom, gateway: GatewayServer) -> None:
    async with gateway.storage.transaction(room.runtime.now()) as tx:
        await tx.run(
            "insert into authorizations (key, state, card_last4, amount_minor) values ('x', 'captured', '1111', 5)"
        )
    agree, _ = await audited(room, gateway)
    assert (agree.holds, agree.detail, agree.figures["unknown_here"]) == (False, "x", 1)
