"""The participant's hop: batches, waves, events, replies that come later, fences."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from amends import Command, Done, Event, Migration, Participant, Refusal, Reply, Tx
from amends.adapters.sqlite import SqliteStorage
from amends.errors import Conflict, DefinitionError, UnknownMessage
from amends.messages import Envelope, Kind, Message, MessageId, Operation, Outcome, SagaId, encode, type_name
from amends.outbox import OutboxRelay
from amends.participant import Asked
from amends.participant_hop import ParticipantHop
from amends.ports import Subscription, Taken
from amends.signals import Signals
from amends.testing.runtime import VirtualRuntime


class Add(Command):
    participant = "sums"
    name: str
    number: int


class AddLater(Command):
    participant = "sums"
    name: str


class AddManyLater(Command):
    participant = "sums"
    name: str


class Forget(Command):
    participant = "sums"


class AddMany(Command):
    participant = "sums"
    name: str


class Heard(Event):
    topic = "sums"
    name: str


class Sum(Reply):
    total: int


class TooMuch(Refusal): ...


CREATE = "create table sums (name text primary key, total integer not null)"
add_number = """
insert into sums (name, total) values (:name, :number)
on conflict (name) do update set total = total + excluded.total
returning total
"""


class Wire:
    def __init__(self) -> None:
        self.sent: list[Envelope] = []

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        self.sent += envelopes

    def subscribe(self, address: str, group: str = "") -> Subscription:
        raise AssertionError("nobody listens here")

    def shard_of(self, address: str, key: str) -> int:
        return 0


class Sums:
    def __init__(self, folder: Path) -> None:
        self.runtime, self.wire = VirtualRuntime(), Wire()
        self.storage = SqliteStorage(folder / "sums.db", [Migration(1, "sums", (CREATE,))])
        self.calls: list[int] = []
        self.later: list[Asked] = []
        relay = OutboxRelay(self.storage, self.wire, self.runtime)
        self.hop = ParticipantHop(self._participant(), self.storage, relay, self.runtime, Signals())

    def _participant(self) -> Participant:
        sums = Participant("sums")

        @sums.handles(Add)
        async def add(tx: Tx, command: Add) -> Sum | TooMuch:
            if command.number > 100:
                return TooMuch()
            return Sum(await self._add(tx, command.name, command.number))

        @sums.handles_many(AddMany)
        async def add_many(tx: Tx, commands: Sequence[AddMany]) -> Sequence[Sum]:
            self.calls.append(len(commands))
            return [Sum(await self._add(tx, each.name, 1)) for each in commands]

        @sums.handles_later(AddLater)
        async def add_later(tx: Tx, command: AddLater, asked: Asked) -> Sum | None:
            self.later.append(asked)
            return None

        @sums.handles_many_later(AddManyLater)
        async def add_many_later(
            tx: Tx, commands: Sequence[AddManyLater], asked: Sequence[Asked]
        ) -> list[TooMuch | None]:
            self.later += asked
            return [TooMuch() if command.name == "z" else None for command in commands]

        @sums.handles(Forget)
        async def forget(tx: Tx, command: Forget) -> Done:
            return None  # type: ignore[return-value]

        @sums.hears(Heard)
        async def hear(tx: Tx, event: Heard) -> None:
            await self._add(tx, event.name, 1)

        return sums

    async def _add(self, tx: Tx, name: str, number: int) -> int:
        rows = await tx.fetch(add_number, {"name": name, "number": number})
        return int(rows[0][0])

    async def total(self, name: str) -> int:
        async with self.storage.reading() as reader:
            rows = await reader.fetch("select total from sums where name = :name", (name,))
        return int(rows[0][0]) if rows else 0

    def replies(self) -> list[tuple[str, str, bytes]]:
        sent, self.wire.sent = self.wire.sent, []
        return [(each.saga, each.type, each.payload) for each in sent]


@pytest.fixture
async def sums(tmp_path: Path) -> AsyncIterator[Sums]:
    sums = Sums(tmp_path)
    await sums.storage.migrate()
    yield sums
    await sums.storage.close()


def command(message: Message, saga: str = "s1", epoch: int = 1, operation: Operation = Operation.ACTION) -> Envelope:
    return Envelope(
        id=MessageId(f"{saga}-{type_name(type(message))}-{epoch}-{operation}"),
        kind=Kind.EVENT if isinstance(message, Event) else Kind.COMMAND,
        type=type_name(type(message)),
        to="sums",
        key=saga,
        at=0.0,
        payload=encode(message),
        saga=SagaId(saga),
        step="" if isinstance(message, Event) else "add",
        operation=operation,
        attempt=1,
        epoch=epoch,
        sender="" if isinstance(message, Event) else "c",
    )


async def test_reply_goes_to_who_asked(sums: Sums) -> None:
    await sums.hop.hop([command(Add("a", 3))])
    [reply] = sums.wire.sent
    assert (reply.to, reply.saga, reply.step, reply.attempt, reply.epoch) == ("c", "s1", "add", 1, 1)
    assert (reply.kind, reply.outcome, reply.type, reply.payload) == (Kind.REPLY, Outcome.DONE, "Sum", b'{"total":3}')


async def test_batch_is_one_transaction_and_answers_in_order(sums: Sums) -> None:
    await sums.hop.hop([command(Add("a", number), f"s{number}") for number in (1, 2, 300, 4)])
    assert [type for _, type, _ in sums.replies()] == ["Sum", "Sum", "TooMuch", "Sum"]
    assert await sums.total("a") == 7


async def test_batch_fails_as_a_whole_with_nothing_done_or_sent(sums: Sums) -> None:
    stranger = msgspec.structs.replace(command(Add("a", 1), "s2"), type="sums.Unknown")
    with pytest.raises(UnknownMessage, match=r"sums has no handler for sums\.Unknown"):
        await sums.hop.hop([command(Add("a", 1)), stranger])
    assert (await sums.total("a"), sums.wire.sent) == (0, [])


async def test_set_based_handler_gets_the_whole_batch_at_once(sums: Sums) -> None:
    await sums.hop.hop([command(AddMany("a"), f"s{number}") for number in range(10)])
    assert sums.calls == [10]
    assert [payload for _, _, payload in sums.replies()] == [b'{"total":%d}' % total for total in range(1, 11)]


async def test_copies_in_one_batch_are_answered_alike_and_done_once(sums: Sums) -> None:
    await sums.hop.hop([command(Add("a", 5))] * 3)
    assert sums.replies() == [("s1", "Sum", b'{"total":5}')] * 3
    assert await sums.total("a") == 5


async def test_action_and_its_compensation_in_one_batch_are_taken_in_their_order(sums: Sums) -> None:
    undo = command(Add("a", -5), operation=Operation.COMPENSATION)
    await sums.hop.hop([command(Add("a", 5)), undo])
    assert await sums.total("a") == 0
    await sums.hop.hop([command(Add("b", -5), "s2", operation=Operation.COMPENSATION), command(Add("b", 5), "s2")])
    assert await sums.total("b") == 0


async def test_event_is_heard_once(sums: Sums) -> None:
    for _ in range(2):
        await sums.hop.hop([command(Heard("a"), saga="")] * 2)
    assert await sums.total("a") == 1
    assert sums.wire.sent == []


async def test_event_that_was_heard_waits_for_no_reply(sums: Sums) -> None:
    event = command(Heard("a"), saga="")
    await sums.hop.hop([event])
    async with sums.storage.reading() as reader:
        [row] = (await sums.storage.inbox.known(reader, [event.id])).values()
    assert (row.outcome, row.ask) == (Outcome.DONE, None)


async def test_event_of_a_saga_is_heard_once(sums: Sums) -> None:
    for _ in range(2):
        await sums.hop.hop([command(Heard("a"), saga="s1")])
    assert await sums.total("a") == 1


async def test_action_after_its_deadline_is_refused_for_good(sums: Sums) -> None:
    late = msgspec.structs.replace(command(Add("a", 5)), deadline=sums.runtime.now() - 1)
    await sums.hop.hop([late])
    await sums.hop.hop([msgspec.structs.replace(late, deadline=None)])
    assert [type for _, type, _ in sums.replies()] == ["Expired", "Expired"]


async def test_reply_that_comes_later_is_given_once(sums: Sums) -> None:
    await sums.hop.hop([command(AddLater("a"))])
    await sums.hop.hop([command(AddLater("a"))])
    assert (sums.replies(), len(sums.later)) == ([], 1)
    for total in (7, 8):
        async with sums.storage.transaction(sums.runtime.now()) as tx:
            await sums.hop.answer(tx, sums.later[0], Sum(total))
    assert sums.replies() == [("s1", "Sum", b'{"total":7}')]
    await sums.hop.hop([command(AddLater("a"))])
    assert sums.replies() == [("s1", "Sum", b'{"total":7}')]


async def test_many_that_are_answered_later_are_noted_and_answered_at_once(sums: Sums) -> None:
    """Some may be answered at once; of two answers in one call the first counts."""
    await sums.hop.hop([command(AddManyLater(name), f"s{name}") for name in ("a", "z", "b")])
    assert sums.replies() == [("sz", "TooMuch", b"{}")]
    assert [each.saga for each in sums.later] == ["sa", "sz", "sb"]
    answers = [(each, Sum(nth)) for nth, each in enumerate([*sums.later, *sums.later])]
    async with sums.storage.transaction(sums.runtime.now()) as tx:
        await sums.hop.answer_all(tx, answers)
    assert sums.replies() == [("sa", "Sum", b'{"total":0}'), ("sb", "Sum", b'{"total":2}')]


async def test_answer_to_what_was_never_asked_is_a_conflict(sums: Sums) -> None:
    with pytest.raises(Conflict, match="saga s9, step 'add': action was never asked here"):
        async with sums.storage.transaction(sums.runtime.now()) as tx:
            await sums.hop.answer(tx, Asked("s9", "add", "action"), Done())


async def test_lower_epoch_is_dropped_also_within_a_batch(sums: Sums) -> None:
    await sums.hop.hop([command(Add("a", 1), "s1", epoch=1), command(Add("a", 2), "s2", epoch=2)])
    await sums.hop.hop([command(Add("a", 4), "s3", epoch=1)])
    assert await sums.total("a") == 2


async def test_refused_action_runs_again_when_a_person_wants_it(sums: Sums) -> None:
    refused = command(Add("a", 300))
    await sums.hop.hop([refused])
    smaller = msgspec.structs.replace(refused, payload=encode(Add("a", 3)))
    await sums.hop.hop([smaller])
    assert [type for _, type, _ in sums.replies()] == ["TooMuch", "TooMuch"]
    await sums.hop.hop([msgspec.structs.replace(smaller, again=True)])
    assert [type for _, type, _ in sums.replies()] == ["Sum"]


def test_command_of_another_participant_is_refused_at_import() -> None:
    with pytest.raises(DefinitionError, match=r"sums\.Add names participant 'sums', not 'other'"):
        Participant("other").handles(Add)


def test_two_handlers_of_one_command_are_refused_at_import() -> None:
    sums = Participant("sums")

    @sums.handles(Add)
    async def add(tx: Tx, asked: Add) -> Sum:
        return Sum(0)

    with pytest.raises(DefinitionError, match="two handlers; keep one"):
        sums.handles(Add)(add)


def test_copy_takes_more_handlers_and_leaves_the_original_as_it_was() -> None:
    sums, add = Participant("sums"), command(Add("a", 1))
    copied = sums.copy()

    @copied.handles(Add)
    async def on_add(tx: Tx, asked: Add) -> Sum:
        return Sum(0)

    assert copied.handler(add).function is on_add
    with pytest.raises(UnknownMessage):
        sums.handler(add)


async def test_handler_that_forgets_its_reply_is_named(sums: Sums) -> None:
    with pytest.raises(DefinitionError, match=r"sums\.Forget returned None: return a reply"):
        await sums.hop.hop([command(Forget())])
    assert sums.replies() == []
