"""The card gateway of a simulated shop: the real one, in a process of its own, slow and flaky by seed."""

import asyncio
from collections.abc import Awaitable, Callable

from amends.testing.chances import Chances
from shop.payments.domain import PaymentState, Wish
from shop.payments.gateway import Gateway, Told
from shop.payments.gateway_wire import Authorization
from shop.payments.tables import CardOperation
from tests.simulation.shop_line import Home, Line

TIMEOUT_S = 3.0
_SLOWEST_S = 12.0

Work = Callable[[Gateway], Awaitable[Told]]


class SimulatedGateway:
    """What payments calls in place of `HttpGateway`; None: unknown, whatever the reason."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._chances = line.world.chances

    async def carry_out(self, wanted: CardOperation) -> PaymentState | None:
        key = wanted.payment_id
        match wanted.wish:
            case Wish.AUTHORIZE:
                body = Authorization(wanted.card or "", wanted.amount_minor, wanted.charge > 0)
                return await self._call(lambda gateway: gateway.authorize(key, body))
            case Wish.CAPTURE:
                return await self._call(lambda gateway: gateway.capture(key))
            case Wish.VOID:
                return await self._call(lambda gateway: gateway.void(key))
            case Wish.REFUND:
                return await self._call(lambda gateway: gateway.refund(key))

    async def status(self, payment_id: str) -> PaymentState | None:
        return await self._call(lambda gateway: gateway.status(payment_id))

    async def _call(self, work: Work) -> PaymentState | None:
        try:
            answer = await self._line.ask(
                "gateway", lambda home: _carried_out(home, work, self._chances), TIMEOUT_S, "gateway answer lost"
            )
        except Exception:  # whatever broke there: here nobody knows what came of it
            return None
        return None if answer.record is None else PaymentState(answer.record.state)


async def _carried_out(home: Home, work: Work, chances: Chances) -> Told:
    """Late, not at all, or carried out and not told, by chance."""
    assert home.gateway is not None
    if chances.fires("gateway slow"):
        await asyncio.sleep(chances.of("gateway slow").random() * _SLOWEST_S)
    if chances.fires("gateway fails"):
        return Told(503, None)
    return await work(home.gateway)
