"""Takes messages for addresses of this process over HTTP; who posts them is answered once they are durable here."""

import asyncio
from collections.abc import Sequence

from amends.adapters.http.answers import TAKEN, Answer, answer_of
from amends.adapters.http.endpoint import App, endpoint
from amends.adapters.http.problems import rejected
from amends.messages import Envelope, MessageId
from amends.ports import Transport

MOST_WAITING = 10_000
PATIENCE_S = 10.0


def inbox_app(local: Transport, addresses: Sequence[str], patience_s: float = PATIENCE_S) -> App:
    """An ASGI app that gives messages for `addresses` to `local`, whose services read them.

        app.mount("/inbox", inbox_app(transport, ["trips.coordinator"]))

    It answers once they are taken there; 503 when that takes longer than `patience_s` seconds.
    """
    return endpoint(Inbox(local, frozenset(addresses), patience_s).take)


class Inbox:
    """Gives each message to `local` once, however often it is posted before it is taken."""

    def __init__(self, local: Transport, addresses: frozenset[str], patience_s: float) -> None:
        self._local = local
        self._addresses = addresses
        self._patience_s = patience_s
        self._carried: dict[MessageId, asyncio.Future[None]] = {}

    async def take(self, messages: Sequence[Envelope]) -> Sequence[Answer]:
        """Raises `Rejected` when the readers take too long."""
        known = [each for each in messages if each.to in self._addresses]
        if known:
            await self._carry(known)
        return [TAKEN if each.to in self._addresses else _stranger(each) for each in messages]

    async def _carry(self, messages: Sequence[Envelope]) -> None:
        fresh = {each.id: each for each in messages if each.id not in self._carried}
        if len(self._carried) + len(fresh) > MOST_WAITING:
            raise rejected(503, "overloaded", f"{len(self._carried)} messages wait already", retry_after_s=1.0)
        loop = asyncio.get_running_loop()
        self._carried |= {id: loop.create_future() for id in fresh}
        waits = [self._carried[each.id] for each in messages]
        self._local.send(list(fresh.values()), self._taken)
        _, late = await asyncio.wait(waits, timeout=self._patience_s)
        if late:
            raise rejected(503, "not-taken", f"{len(late)} messages are not taken yet", retry_after_s=1.0)

    def _taken(self, ids: Sequence[MessageId]) -> None:
        for id in ids:
            self._carried.pop(id).set_result(None)


def _stranger(message: Envelope) -> Answer:
    return answer_of(rejected(404, "unknown-address", f"nobody here reads {message.to!r} (message {message.id})"))
