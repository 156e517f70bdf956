"""Binds a participant's commands to prepared transactions: the hop notes them, the runner carries them out."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from amends.adapters.postgres.xa import operations
from amends.adapters.postgres.xa.gids import Verb, gid_of, prefix_of
from amends.adapters.postgres.xa.operations import XaOperation
from amends.connections import Tx
from amends.errors import DefinitionError
from amends.messages import Command, Refusal, encode, type_name
from amends.participant import Asked, Participant

C = TypeVar("C", bound=Command)
Effect = Callable[[Tx, C], Awaitable[Refusal | None]]


class _Bound(NamedTuple):
    effect: Effect[Any]
    decode: Callable[[bytes], Command]


class XaParticipant:
    """A participant whose votes are prepared transactions; it may have other handlers, too.

    hotel = XaParticipant(Participant("hotel"))

    @hotel.prepares(HoldRoom, commit=TakeRoom, abort=FreeRoom)
    async def hold(tx: Tx, command: HoldRoom) -> Full | None:
        taken = await tx.run("update rooms set free = free - 1 where id = :id and free > 0", (command.room,))
        return None if taken else Full()

    The function makes the whole effect, as if it were to be committed at once, or refuses; what it wrote before a
    refusal is rolled back. It tells no events and sets no `after_commit`: what commits is another session, later.
    """

    def __init__(self, participant: Participant) -> None:
        self.prefix = prefix_of(participant.name)
        self.participant = participant
        self.noted: Callable[[Sequence[XaOperation]], None] | None = None
        self._bound: dict[str, _Bound] = {}

    @property
    def name(self) -> str:
        return self.participant.name

    def prepares(
        self, command: type[C], *, commit: type[Command], abort: type[Command]
    ) -> Callable[[Effect[C]], Effect[C]]:
        """Registers a function of (tx, command) -> refusal or None, and the commands that end what it began."""

        def register(effect: Effect[C]) -> Effect[C]:
            for verb, taken in ((Verb.PREPARE, command), (Verb.COMMIT, commit), (Verb.ABORT, abort)):
                self.participant.handles_many_later(taken)(partial(self._note, verb))
            self._bound[type_name(command)] = _Bound(effect, msgspec.json.Decoder(command).decode)
            return effect

        return register

    def effect_of(self, each: XaOperation) -> Callable[[Tx], Awaitable[Refusal | None]]:
        """Raises `DefinitionError` when this program has no function for what another one has noted."""
        bound = self._bound.get(each.type)
        if bound is None:
            raise DefinitionError(f"{self.name} prepares no {each.type} (transaction {each.gid}): bind it again")
        command = bound.decode(each.payload)
        return lambda tx: bound.effect(tx, command)

    async def _note(self, verb: Verb, tx: Tx, commands: Sequence[Command], asked: Sequence[Asked]) -> list[None]:
        noted = [
            XaOperation(gid_of(self.name, verb, each), verb, each, type_name(type(command)), encode(command))
            for command, each in zip(commands, asked, strict=True)
        ]
        await operations.note(tx, noted)
        if self.noted is not None:
            tx.after_commit(partial(self.noted, noted))
        return [None] * len(noted)
