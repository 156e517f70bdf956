"""The messages of one address whose keys fall together: posted in order, one batch at a time.

put ─▶ held ─▶ post ─▶ answered: the reply to the local transport, taken
         ▲       │
         └─pause─┴── no answer, or 503: the same batch again
                 └── any other no: in halves, down to whose fault it is; a command fails, others are set aside
"""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from amends.adapters.http import wire
from amends.adapters.http.answers import Response, Said, problem_of, read_answers
from amends.adapters.http.connection import BROKEN, Connection, Server
from amends.adapters.http.problems import ProblemDetails, Rejected, problem
from amends.halving import in_halves
from amends.messages import Envelope, Kind, MessageId, Outcome
from amends.ports import Runtime, Taken, Task, Transport
from amends.retry import Retry
from amends.signals import Signals

MOST = 500
MOST_BYTES = 1024 * 1024
AWAY = Retry(base_s=0.05, cap_s=10.0)
MOST_PATIENCE_S = 30.0
_COME_BACK = frozenset({408, 425, 429, *range(502, 600)})


class Held(NamedTuple):
    """A message, and whom to tell that it is taken."""

    envelope: Envelope
    taken: Taken


class _Away(Exception):
    """Nobody has answered, or somebody who wants to be asked again; after `pause_s` seconds at the earliest."""

    def __init__(self, why: str, pause_s: float = 0.0) -> None:
        super().__init__(why)
        self.pause_s = pause_s


class Lane:
    """Has one connection. A message that is put twice while it is held is posted once."""

    def __init__(
        self, address: str, server: Server, local: Transport, runtime: Runtime, signals: Signals, timeout_s: float
    ) -> None:
        self._address = address
        self._connection = Connection(server)
        self._local = local
        self._runtime = runtime
        self._signals = signals
        self._timeout_s = timeout_s
        self._held: dict[MessageId, Held] = {}
        self._arrived = runtime.signal()
        self._task: Task | None = None

    def put(self, envelope: Envelope, taken: Taken) -> None:
        self._held.setdefault(envelope.id, Held(envelope, taken))
        self._arrived.set()
        if self._task is None:
            self._task = self._runtime.spawn(self._run(), f"http to {self._address}")

    def close(self) -> None:
        """What is held stays where it came from."""
        if self._task is not None:
            self._task.cancel()
        self._connection.close()

    async def _run(self) -> None:
        failed = 0
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while batch := self._next():
                try:
                    await in_halves(batch, self._deliver, self._reject)
                    self._forget(batch)
                    failed = 0
                except Exception as error:  # the local transport fails: what is held waits for it
                    failed += 1
                    await self._pause(len(batch), f"{type(error).__name__}: {error}", failed)

    def _forget(self, batch: Sequence[Held]) -> None:
        for each in batch:
            del self._held[each.envelope.id]

    def _next(self) -> list[Held]:
        """What has been held for longest; never waits for more."""
        batch: list[Held] = []
        size = 0
        for each in islice(self._held.values(), MOST):
            size += len(each.envelope.payload)
            if batch and size > MOST_BYTES:
                break
            batch.append(each)
        return batch

    async def _deliver(self, batch: Sequence[Held]) -> None:
        """Posts until there is an answer. Raises `Rejected`."""
        response = await self._response([each.envelope for each in batch])
        self._settle(batch, read_answers(response, len(batch)))

    async def _response(self, envelopes: Sequence[Envelope]) -> Response:
        headers, body = _encoded(envelopes)
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._post(headers, body)
            except _Away as away:
                await self._pause(len(envelopes), str(away), attempt, away.pause_s)

    async def _pause(self, messages: int, error: str, attempt: int, at_least_s: float = 0.0) -> None:
        self._signals.emit("http.away", address=self._address, messages=messages, error=error[:500])
        await self._runtime.sleep(at_least_s + AWAY.pause_s(attempt, self._runtime.roll()))

    async def _post(self, headers: wire.Headers, body: bytes) -> Response:
        """An answer that is not to be asked for again. Raises `_Away`, `Rejected`."""
        try:
            response = await self._connection.post(headers, body, self._timeout_s)
        except TimeoutError as error:
            raise _Away(f"no answer within {self._timeout_s} s") from error
        except BROKEN as error:
            raise _Away(f"{type(error).__name__}: {error}") from error
        if response.status in _COME_BACK:
            raise _Away(f"{response.status} {problem_of(response).detail}", _pause_s(response))
        if not 200 <= response.status < 300:
            raise Rejected(problem_of(response))
        return response

    def _settle(self, batch: Sequence[Held], answers: Sequence[Said]) -> None:
        replies: list[tuple[Envelope, Held]] = []
        for held, said in zip(batch, answers, strict=True):
            if said.problem is not None:
                replies += self._refused(held, said.problem)
            elif said.status == 200 and held.envelope.kind is Kind.COMMAND:
                replies.append((self._reply(held.envelope, said.type, said.outcome, said.payload), held))
            else:
                held.taken([held.envelope.id])
        self._hand_over(replies)

    def _refused(self, held: Held, why: ProblemDetails) -> list[tuple[Envelope, Held]]:
        """A command fails, so that its saga's budget counts; what is no command stays in its outbox."""
        asked = held.envelope
        told = f"{why.status} {why.name}: {why.detail}"[:500]
        self._signals.emit("http.rejected", address=self._address, message=asked.id, saga=asked.saga, error=told)
        if why.name == "replaced-epoch":  # whoever has replaced this coordinator asks again
            held.taken([asked.id])
        elif asked.kind is Kind.COMMAND:
            return [(self._reply(asked, why.name, Outcome.FAILED, b"{}"), held)]
        return []

    async def _reject(self, held: Held, error: Exception) -> None:
        """Also what can't even be posted: it must not hold up the lane."""
        unsendable = problem(400, "unsendable", f"{type(error).__name__}: {error}")
        self._hand_over(self._refused(held, error.details if isinstance(error, Rejected) else unsendable))

    def _hand_over(self, replies: Sequence[tuple[Envelope, Held]]) -> None:
        """A command is taken once its reply is: until then it stays in its outbox."""
        waiting = {reply.id: held for reply, held in replies}

        def acknowledged(ids: Sequence[MessageId]) -> None:
            for id in ids:
                held = waiting[id]
                held.taken([held.envelope.id])

        if replies:
            self._local.send([reply for reply, _ in replies], acknowledged)

    def _reply(self, asked: Envelope, type: str, outcome: Outcome, payload: bytes) -> Envelope:
        """All but the answer itself is the command's: a server can't speak for anything that it was not asked."""
        return Envelope(
            id=MessageId(self._runtime.new_id()),
            kind=Kind.REPLY,
            type=type,
            to=asked.sender,
            key=asked.saga,
            at=self._runtime.now(),
            payload=payload,
            saga=asked.saga,
            step=asked.step,
            operation=asked.operation,
            attempt=asked.attempt,
            epoch=asked.epoch,
            sender=asked.to,
            outcome=outcome,
            traceparent=asked.traceparent,
        )


def _encoded(envelopes: Sequence[Envelope]) -> tuple[wire.Headers, bytes]:
    if len(envelopes) == 1:
        return wire.headers_of(envelopes[0]), envelopes[0].payload
    return [(b"content-type", wire.BATCH.encode())], wire.encode_batch([wire.event_of(each) for each in envelopes])


def _pause_s(response: Response) -> float:
    """What `Retry-After` asks for, in seconds, within reason; 0 for a date."""
    asked = dict(response.headers).get(b"retry-after", b"0")
    return min(float(asked), MOST_PATIENCE_S) if asked.isdigit() else 0.0
