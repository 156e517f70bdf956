"""Asks a service's participant over HTTP: what concurrent requests bring is carried out in one batch.

    requests ─▶ intake ─▶ [fence · barrier · handlers · barrier rows] commit ─▶ replies, each in its response

A reply is durable in the barrier and in no outbox: who does not get it asks again, and gets the stored one.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from amends.adapters.http.answers import LATER, TAKEN, Answer, answer_of
from amends.adapters.http.endpoint import App, endpoint
from amends.adapters.http.problems import rejected
from amends.errors import Conflict, Overloaded, TryTransactionAgain, Unavailable, UnknownMessage
from amends.halving import in_halves
from amends.intake import Intake
from amends.messages import Envelope, Kind
from amends.participant_hop import ParticipantHop
from amends.service import Service
from amends.stumbling import again

MOST_WAITING = 10_000
_MOST = 1000
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Placed = tuple[int, Envelope]


def participant_app(service: Service) -> App:
    """An ASGI app that asks the participant of `service`, to be mounted in any other.

        app.mount("/hotel", participant_app(hotel))

    It answers 503 once the service stops. Whoever reaches it may ask anything: guard it as its other routes are.
    """
    assert service.hop is not None, f"service {service.name} has no participant"
    door = ParticipantDoor(service, service.hop)
    service.doors.append(door)
    return endpoint(door.take)


class ParticipantDoor:
    """Takes the messages of one request after the other; a `Door` of its service."""

    def __init__(self, service: Service, hop: ParticipantHop) -> None:
        self._service = service
        self._hop = hop
        self._signals = service.signals
        self._intake: Intake[Sequence[Envelope], Sequence[Answer]] = Intake(self._carry_out, service.runtime)
        self._waiting = 0
        self._started = False

    async def take(self, messages: Sequence[Envelope]) -> Sequence[Answer]:
        """What has come of each message. Raises `Overloaded` when too many wait or the service stops."""
        problems = {at: wrong for at, each in enumerate(messages) if (wrong := self._wrong(each)) is not None}
        good = [each for at, each in enumerate(messages) if at not in problems]
        answers = iter(await self._carried_out(good) if good else ())
        return [problems[at] if at in problems else next(answers) for at in range(len(messages))]

    async def stop(self) -> None:
        await self._intake.stop()

    def _wrong(self, message: Envelope) -> Answer | None:
        """What can never be carried out is kept out of the batch of others."""
        try:
            if message.kind is Kind.COMMAND and not (message.saga and message.step):
                return answer_of(rejected(400, "malformed", f"command {message.id} names no saga or no step"))
            self._hop.participant.handler(message).decoder.decode(message.payload)
        except UnknownMessage as error:
            return answer_of(rejected(404, "unknown-message", str(error)))
        except _UNREADABLE as error:
            return answer_of(rejected(400, "malformed", f"the payload of {message.type} {message.id}: {error}"))
        return None

    async def _carried_out(self, messages: Sequence[Envelope]) -> Sequence[Answer]:
        if self._waiting + len(messages) > MOST_WAITING:
            raise Overloaded(f"{self._waiting} messages wait already", retry_after_s=1.0)
        if not self._started:
            self._started = True
            self._intake.start(f"{self._service.name} over http")
        self._waiting += len(messages)
        try:
            return await self._intake.submit(messages)
        finally:
            self._waiting -= len(messages)

    async def _carry_out(self, requests: Sequence[Sequence[Envelope]]) -> list[Sequence[Answer]]:
        """Hops of at most a thousand messages, whatever requests they came with."""
        messages = [each for request in requests for each in request]
        answers: list[Answer] = [TAKEN] * len(messages)
        placed = list(enumerate(messages))
        for first in range(0, len(placed), _MOST):
            await in_halves(placed[first : first + _MOST], partial(self._ask, answers), partial(self._failed, answers))
        ends = iter(answers)
        return [[next(ends) for _ in request] for request in requests]

    async def _ask(self, answers: list[Answer], batch: Sequence[Placed]) -> None:
        carried = await again(lambda: self._hop.ask([message for _, message in batch]), self._service.runtime)
        replies = {_asked(each, each.to): each for each in carried.replies}
        taken = {each.id for each in carried.taken}
        for at, message in batch:
            if message.id not in taken:
                answers[at] = _replaced(message)
            elif message.kind is Kind.COMMAND:
                reply = replies.get(_asked(message, message.sender))
                answers[at] = LATER if reply is None else Answer(200, reply)

    async def _failed(self, answers: list[Answer], placed: Placed, error: Exception) -> None:
        """One that fails alone. What has stumbled over another transaction is asked again, with its whole request."""
        at, message = placed
        if isinstance(error, (Conflict, TryTransactionAgain)):
            raise Unavailable(f"{message.id}: {error}") from error
        told = f"{type(error).__name__}: {error}"[:500]
        what = {"message": message.id, "type": message.type, "saga": message.saga}
        who, trace = self._hop.participant.name, message.traceparent
        self._signals.emit("message.failed", **what, address=who, error=told, traceparent=trace)
        detail = f"the handler of {message.type} raised {type(error).__name__}; nothing that it wrote stays"
        answers[at] = answer_of(rejected(500, "handler-failed", detail))


def _asked(message: Envelope, coordinator: str) -> tuple[str, str, str, str, int, int]:
    """What a command and its reply have in common."""
    return coordinator, message.saga, message.step, message.operation, message.attempt, message.epoch


def _replaced(message: Envelope) -> Answer:
    detail = f"epoch {message.epoch} of {message.sender} has been replaced; nothing was done"
    return answer_of(rejected(409, "replaced-epoch", detail))
