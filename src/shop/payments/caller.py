"""Calls the card gateway for what the participant has noted, until every outcome is known.

    noted ──call──▶ known ──one transaction for all that came together──▶ answered
              └─▶ unknown ──status asked──▶ known
                              └─▶ unknown ──pause──▶ called again with the same key

What is to be done is in the table `card_operations`, so a crash costs nothing but a repeated call. One caller a
database. Of one payment there is one call at a time, in the order in which it was asked; a void goes before an
authorisation whose outcome is not known, leaves a tombstone at the gateway, and answers both.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from amends import Retry
from amends.connections import Tx
from amends.intake import Intake
from amends.participant import Answer
from amends.ports import Task
from amends.service import Service
from amends.signals import Field
from amends.timers import Ticker
from shop.payments import tables
from shop.payments.domain import Move, PaymentState, decide
from shop.payments.participant import answer, payments
from shop.payments.tables import CardOperation
from shop.payments.telling import tell_paid

UNTIL_KNOWN = Retry(base_s=0.2, cap_s=5.0)
AT_ONCE = 256


class Provider(Protocol):
    """The card gateway, as it is called. None: unknown."""

    async def carry_out(self, wanted: CardOperation) -> PaymentState | None: ...

    async def status(self, payment_id: str) -> PaymentState | None: ...


@dataclass(frozen=True, slots=True)
class CallerSettings:
    """`at_once` bounds the calls in flight. `retry` gives the pauses; there is no last attempt.

    An authorisation whose outcome stays unknown ends with the void that the saga asks for when its patience does.
    """

    at_once: int = AT_ONCE
    retry: Retry = UNTIL_KNOWN


class Outcome(NamedTuple):
    """What has become of a payment for which an operation was wanted."""

    wanted: CardOperation
    told: PaymentState


class Caller:
    """Works for a started service that has the participant `payments`; stop it before the service."""

    def __init__(self, service: Service, gateway: Provider, settings: CallerSettings | None = None) -> None:
        assert service.hop is not None, f"service {service.name} has no participant"
        self._answer_all = service.hop.answer_all
        self._storage = service.storage
        self._runtime = service.runtime
        self._signals = service.signals
        self._gateway = gateway
        self._settings = settings or CallerSettings()
        self._wanted = asyncio.Event()
        self._calls: dict[str, Task] = {}
        self._task: Task | None = None
        self._outcomes: Intake[Outcome, None] = Intake(self._record, self._runtime)
        self._ticker = Ticker([self.tick], self._runtime, self._signals)
        self._signals.listen(self._heard)

    def start(self, name: str) -> None:
        """Goes on with what a crash has left."""
        self._wanted.set()
        self._outcomes.start(f"{name} outcomes")
        self._task = self._runtime.spawn(self._run(), f"{name} caller")
        self._ticker.start(f"{name} caller's timer")

    async def stop(self) -> None:
        """Gives calls in flight up: they are made again after the next start."""
        self._ticker.stop()
        tasks = [*self._calls.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            await task.join()
        await self._outcomes.stop()

    async def tick(self) -> None:
        """Looks for what is due again."""
        self._wanted.set()

    def _heard(self, name: str, fields: dict[str, Field]) -> None:
        """The participant's hop has committed: it may have noted something."""
        if name == "participant.hop" and fields["participant"] == payments.name:
            self._wanted.set()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._call_due()
            except Exception as error:  # the database may be away: the next tick looks again
                self._signals.emit("chore.failed", error=f"{type(error).__name__}: {error}"[:500])

    async def _call_due(self) -> None:
        most = self._settings.at_once
        if len(self._calls) >= most:
            return
        async with self._storage.reading() as reader:
            due = await tables.due(reader, self._runtime.now(), most, self._calls)
        for each in due[: most - len(self._calls)]:
            self._calls[each.payment_id] = self._runtime.spawn(self._carry_out(each), f"card {each.payment_id}")

    async def _carry_out(self, wanted: CardOperation) -> None:
        try:
            told = await self._find_out(wanted)
            await (self._postpone(wanted) if told is None else self._outcomes.submit(Outcome(wanted, told)))
            self._wanted.set()
        except Exception as error:  # the database may be away: the operation is still noted, the next tick tries again
            self._signals.emit("card.failed", payment=wanted.payment_id, error=f"{type(error).__name__}: {error}"[:500])
        del self._calls[wanted.payment_id]

    async def _find_out(self, wanted: CardOperation) -> PaymentState | None:
        """What has become of the payment; None while the wish is neither fulfilled nor refused."""
        if decide(wanted.wish, wanted.payment_state) is not Move.CALL:
            return wanted.payment_state
        told = await self._gateway.carry_out(wanted)
        if told is None:
            told = await self._gateway.status(wanted.payment_id)
        return None if told is None or decide(wanted.wish, told) is Move.CALL else told

    async def _record(self, outcomes: Sequence[Outcome]) -> list[None]:
        known = {wanted.payment_id: tables.Settled(wanted.nth, told) for wanted, told in outcomes}
        async with self._storage.transaction(self._runtime.now()) as tx:
            closed = await tables.close(tx, known)
            await self._answer_all(tx, [(each.asked, _answer(tx, each, state)) for each, state in closed])
        for wanted, told in outcomes:
            self._signals.emit("card.answered", payment=wanted.payment_id, wish=wanted.wish.value, state=told.value)
        return [None] * len(outcomes)

    async def _postpone(self, wanted: CardOperation) -> None:
        attempts = wanted.attempts + 1
        async with self._storage.transaction(self._runtime.now()) as tx:
            pause_s = self._settings.retry.pause_s(attempts, self._runtime.roll())
            await tables.postpone(tx, wanted, tx.now + pause_s)
        self._signals.emit("card.unknown", payment=wanted.payment_id, wish=wanted.wish.value, attempts=attempts)


def _answer(tx: Tx, closed: CardOperation, state: PaymentState) -> Answer:
    reply = answer(closed.wish, decide(closed.wish, state))
    return tell_paid(tx, closed.charge, reply) if closed.charge else reply
