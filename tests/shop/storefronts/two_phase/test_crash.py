"""The manager dies between the phases: what was decided is carried out, what was not is rolled back."""

import asyncio
from collections.abc import Callable

import pytest

from amends.messages import Envelope, Kind, Operation
from tests.shop.storefronts.two_phase.conftest import TODAY, OpenShop, Shop

COMMITS = {"billing.CaptureMoney", "warehouse.ConfirmStock", "delivery.ConfirmCourier"}
ALL_HELD = (10_00, {"two-phase/1": 1}, {f"{TODAY}T01:00:00Z": 1})


async def die(shop: Shop, lost: Callable[[Envelope], bool]) -> int:
    """A purchase in which such messages get lost, until everything dies; returns its buyer, who has 110."""
    user = await shop.user(110)
    shop.transport.matches = lost
    asked = asyncio.ensure_future(shop.ask(user))
    await shop.runtime.advance(1.0, leap_s=0.1)
    assert await shop.rooms_state() == ALL_HELD
    shop.runtime.kill()
    asked.cancel()
    await asyncio.wait([asked])
    return user


async def rest(shop: Shop) -> None:
    await shop.runtime.advance(120.0, leap_s=1.0)
    await shop.check()


async def test_votes_that_were_not_heard_before_the_crash_are_asked_for_again(open_shop: OpenShop) -> None:
    """All had voted, nothing was decided: it ends in one way everywhere."""
    async with open_shop() as shop:
        user = await die(shop, lambda message: message.kind is Kind.REPLY and message.sender != "users")
    async with open_shop() as shop:
        await rest(shop)
        assert await shop.balance(user) == 100
        assert (await shop.rooms_state())[1:] == ALL_HELD[1:]


@pytest.mark.parametrize("silent", ["billing", "warehouse", "delivery"])
async def test_no_decision_logged_means_rolled_back(open_shop: OpenShop, silent: str) -> None:
    def vote(message: Envelope) -> bool:
        voted = message.kind is Kind.REPLY and message.operation is Operation.ACTION
        return voted and message.sender == silent and message.type != "WalletOpened"

    async with open_shop() as shop:
        user = await die(shop, vote)
    async with open_shop(vote) as shop:
        await rest(shop)
        assert await shop.balance(user) == 110
        assert await shop.rooms_state() == (0, {}, {})


async def test_decision_that_was_logged_is_carried_out(open_shop: OpenShop) -> None:
    """Nobody had heard of it."""
    async with open_shop() as shop:
        user = await die(shop, lambda message: message.type in COMMITS)
    async with open_shop() as shop:
        await rest(shop)
        assert await shop.balance(user) == 100
        assert (await shop.rooms_state())[1:] == ALL_HELD[1:]
        assert (await shop.rooms_state())[0] == 0
