"""A participant in the model: the real hop over tables in memory, one command at a time.

Its handlers only tell that they ran, and answer as they are told: both answers are tried.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast

from amends.connections import Tx
from amends.machine import Answer
from amends.messages import Done, Envelope, Operation, Outcome, Refusal, Reply
from amends.pages import BarrierKey, BarrierRow, Seen
from amends.participant import Participant
from amends.participant_hop import ParticipantHop
from amends.ports import Runtime, Storage
from amends.saga import Kind, Saga
from amends.signals import Signals
from amends.testing.model_coordinator import Message
from amends.testing.model_words import Cost, Do, No, Numbered, Order, Sent, Undo

T = TypeVar("T")

COORDINATOR = "coordinator/0"
DO, UNDO = "do", "undo"
NO_REPLY = -1


class Place(NamedTuple):
    """What one participant holds: the newest epoch that it has noted, its barrier, what was carried out by step.

    `newest` is the newest epoch that has come here, noted or not; `zombie`: something was carried out for a coordinator
    although its successor had been heard of.
    """

    epoch: int
    rows: tuple[tuple[BarrierKey, BarrierRow], ...]
    effects: tuple[tuple[str, ...], ...]
    newest: int = 1
    zombie: bool = False


class Carried(NamedTuple):
    """What may come of a command: in words, the place after, the reply or `NO_REPLY`, by number, and what it costs."""

    told: str
    place: int
    reply: int
    cost: int


class OpenTx(NamedTuple):
    """A transaction that knows the time, and no more."""

    now: float


class Tables:
    """A storage with an inbox and nothing else, a runtime that stands still, an outbox: `replies`."""

    name = "participant"

    def __init__(self, place: Place) -> None:
        self.inbox = self
        self.replies: list[Envelope] = []
        self.rows = dict(place.rows)
        self.epoch = place.epoch

    def now(self) -> float:
        return 0.0

    def new_id(self) -> str:
        return ""

    @asynccontextmanager
    async def transaction(self, now: float) -> AsyncIterator[OpenTx]:
        yield OpenTx(now)

    async def put(self, _: Tx, envelopes: Sequence[Envelope]) -> None:
        self.replies += envelopes

    async def insert(self, _: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        self.rows.update(rows)

    async def replace(self, _: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        self.rows.update(rows)

    async def seen(self, _: Tx, __: Sequence[str], ___: Sequence[str]) -> Seen:
        return Seen({COORDINATOR: self.epoch}, dict(self.rows))

    async def raise_epochs(self, _: Tx, epochs: Mapping[str, int]) -> None:
        self.epoch = epochs[COORDINATOR]


class Trial(NamedTuple):
    """One command carried out: the tables after, and which handlers ran."""

    tables: Tables
    ran: list[str]

    @property
    def outcome(self) -> Outcome | None:
        """None when there is no reply."""
        return self.tables.replies[0].outcome if self.tables.replies else None


class ParticipantModel:
    """Carries commands out as the real one does, each case once. `envelope` is a command as it travels."""

    def __init__(
        self, saga: Saga[Order], messages: Numbered[Message], envelope: Callable[[Sent], Envelope], *, fails: bool
    ) -> None:
        self.places = Numbered[Place]()
        self.empty = self.places.number(Place(1, (), ((),) * len(saga.steps)))
        self.carry_out = cache(self._carry_out)
        self._saga = saga
        self._messages = messages
        self._envelope = envelope
        self._fails = fails

    def _carry_out(self, place: int, message: int) -> tuple[Carried, ...]:
        """Everything that may come of a command; the first costs nothing."""
        before, sent = self.places.values[place], cast(Sent, self._messages.values[message])
        done = self._try(before, sent, Done())
        carried = [self._carried(before, sent, done, Cost.NOTHING)]
        if done.ran:
            refused = self._try(before, sent, No())
            carried.append(self._carried(before, sent, refused, self._cost_of_refusal(sent)))
        if done.ran and self._fails:
            failed = self._reply(sent, Outcome.FAILED)
            carried.append(Carried("fails, nothing has happened", place, failed, Cost.FAILURE))
        return tuple(carried)

    def _try(self, place: Place, sent: Sent, answer: Reply | Refusal) -> Trial:
        trial = Trial(Tables(place), [])
        tables, participant = trial.tables, _participant(answer, trial.ran)
        hop = ParticipantHop(participant, cast(Storage, tables), tables, cast(Runtime, tables), Signals())
        finish(hop.hop([self._envelope(sent)]))
        return trial

    def _carried(self, before: Place, sent: Sent, trial: Trial, cost: int) -> Carried:
        ran = tuple(trial.ran) if trial.outcome is Outcome.DONE else ()
        rows, newest = tuple(sorted(trial.tables.rows.items())), max(before.newest, sent.epoch)
        effects = list(before.effects)
        effects[sent.step] += ran
        zombie = before.zombie or (bool(ran) and sent.epoch < newest)
        after = Place(trial.tables.epoch, rows, tuple(effects), newest, zombie)
        reply = NO_REPLY if trial.outcome is None else self._reply(sent, trial.outcome)
        return Carried(_told(trial), self.places.number(after), reply, cost)

    def _reply(self, sent: Sent, outcome: Outcome) -> int:
        attempt = sent.attempt if outcome is Outcome.FAILED else 0
        return self._messages.number(Answer(self._saga.steps[sent.step].name, sent.operation, attempt, outcome))

    def _cost_of_refusal(self, sent: Sent) -> int:
        """The action of a compensatable step, and the pivot, may be refused at any time."""
        kind = self._saga.steps[sent.step].kind
        free = sent.operation is Operation.ACTION and kind in (Kind.COMPENSATABLE, Kind.PIVOT)
        return Cost.NOTHING if free else Cost.REFUSAL


def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as ended:
        return cast(T, ended.value)
    raise RuntimeError("it waits, and nothing in the model would wake it")


def _participant(answer: Reply | Refusal, ran: list[str]) -> Participant:
    made = Participant("participant")

    @made.handles(Do)
    async def do(_: Tx, __: Do) -> Reply | Refusal:
        ran.append(DO)
        return answer

    @made.handles(Undo)
    async def undo(_: Tx, __: Undo) -> Reply | Refusal:
        ran.append(UNDO)
        return answer

    return made


def _told(trial: Trial) -> str:
    if trial.ran:
        return "carries it out" if trial.outcome is Outcome.DONE else "refuses"
    return "gives no answer" if trial.outcome is None else f"runs nothing, answers {trial.outcome}"
