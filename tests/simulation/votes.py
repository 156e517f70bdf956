"""Two-phase commit, and TCC: three participants hold something until the decision, then all commit or none does."""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from amends import Command, Done, Migration, Participant, Refusal, Saga, Tx
from amends.audit import Finding, Readers
from amends.tcc import reservation, tcc
from amends.testing.scenarios import Scenario
from amends.two_phase import two_phase, voter
from tests.simulation.effects import EFFECTS, as_the_sagas_say, note

ALL = 7
NAMES = ("bank", "hotel", "garage")


class Vote(msgspec.Struct, frozen=True):
    trip: str


class OnVote(Command):
    """`step` is the one that is done, or undone."""

    trip: str
    step: str


class Hold(OnVote): ...


class Take(OnVote): ...


class GiveBack(OnVote): ...


class NothingLeft(Refusal): ...


def _command(kind: type[OnVote], name: str) -> type[OnVote]:
    """The same command, of another participant."""
    return type(kind.__name__, (kind,), {"participant": name, "__module__": __name__})


COMMANDS: dict[tuple[type[OnVote], str], type[OnVote]] = {
    (kind, name): _command(kind, name) for kind in (Hold, Take, GiveBack) for name in NAMES
}


async def hold(tx: Tx, command: OnVote) -> Done | NothingLeft:
    if not await tx.run("update stock set left = left - 1 where left > 0"):
        return NothingLeft()
    await tx.run("insert into held (trip) values (:trip)", (command.trip,))
    await note(tx, command.trip, command.step)
    return Done()


async def take(tx: Tx, command: OnVote) -> Done:
    await taken(tx, command.trip)
    await note(tx, command.trip, command.step)
    return Done()


async def give_back(tx: Tx, command: OnVote) -> Done:
    await returned(tx, command.trip)
    await note(tx, command.trip, command.step, undone=True)
    return Done()


async def taken(tx: Tx, trip: str) -> None:
    """What is held goes to the trip; nothing, when nothing is held."""
    await tx.run("update stock set taken = taken + 1 where exists (select 1 from held where trip = :trip)", (trip,))
    await tx.run("delete from held where trip = :trip", (trip,))


async def returned(tx: Tx, trip: str) -> None:
    """What is held goes back."""
    await tx.run("update stock set left = left + 1 where exists (select 1 from held where trip = :trip)", (trip,))
    await tx.run("delete from held where trip = :trip", (trip,))


def _participant(name: str) -> Participant:
    made = Participant(name)
    for kind, handler in ((Hold, hold), (Take, take), (GiveBack, give_back)):
        made.handles(COMMANDS[kind, name])(handler)
    return made


def _asks(kind: type[OnVote], name: str, step: str) -> Callable[[Vote], Command]:
    command = COMMANDS[kind, name]

    def ask(vote: Vote) -> Command:
        return command(vote.trip, f"{step} {name}")

    return ask


def _voter(name: str, timeout_s: float = 5.0) -> Any:
    prepare, abort = _asks(Hold, name, "prepare"), _asks(GiveBack, name, "prepare")
    return voter(name, prepare=prepare, commit=_asks(Take, name, "commit"), abort=abort, timeout_s=timeout_s)


def _reservation(name: str) -> Any:
    reserve, cancel = _asks(Hold, name, "try"), _asks(GiveBack, name, "try")
    return reservation(name, reserve=reserve, confirm=_asks(Take, name, "confirm"), cancel=cancel)


vote: Saga[Vote] = two_phase("vote", Vote, *map(_voter, NAMES), deadline_s=30.0)
hurry_vote: Saga[Vote] = two_phase("hurry-vote", Vote, *(_voter(name, 0.5) for name in NAMES), deadline_s=3.0)
reserve: Saga[Vote] = tcc("reserve", Vote, *map(_reservation, NAMES), deadline_s=30.0)


async def conserved(readers: Readers) -> list[Finding]:
    """Nothing is held any more; everywhere as much is taken as is gone, and the same everywhere."""
    taken = set()
    findings = []
    for name in NAMES:
        [(left, gone)] = await readers[name].fetch("select left, taken from stock")
        [(held,)] = await readers[name].fetch("select count(*) from held")
        taken.add(gone)
        figures = {"all": ALL, "left": left, "taken": gone, "held": held}
        findings.append(Finding("votes are conserved", left >= 0 and held == 0 and left + gone == ALL, figures))
    return [*findings, Finding("all commit or none", len(taken) == 1, {})]


_STOCK = Migration(
    2,
    "stock",
    (
        "create table stock (left integer, taken integer)",
        f"insert into stock values ({ALL}, 0)",
        "create table held (trip text)",
    ),
)


def _scenario(saga: Saga[Vote]) -> Scenario:
    participants, migrations = [_participant(name) for name in NAMES], {name: [EFFECTS, _STOCK] for name in NAMES}
    return Scenario(saga, participants, _input, migrations, [as_the_sagas_say(saga, NAMES), conserved], sagas=10)


def _input(random: Random) -> Vote:
    return Vote(f"trip {random.getrandbits(40):010x}")


VOTES = _scenario(vote)
HURRIED_VOTES = _scenario(hurry_vote)
RESERVATIONS = _scenario(reserve)
