"""A bell that is rung by sagas and tells of it, and a village that hears: each stroke once, and in order."""

from random import Random

import msgspec

from amends import Command, Done, Event, Migration, Participant, Saga, Tx, retriable
from amends.audit import Finding, Readers
from amends.pages import Instance
from amends.testing.scenarios import Scenario
from tests.simulation.effects import EFFECTS, as_the_sagas_say, note

tower, village = Participant("tower"), Participant("village")


class Wish(msgspec.Struct, frozen=True):
    trip: str


class Ring(Command):
    participant = "tower"
    trip: str


class Rung(Event):
    topic = "tower.events"
    number: int


@tower.handles(Ring)
async def ring(tx: Tx, command: Ring) -> Done:
    await tx.run("update bell set strokes = strokes + 1")
    [(number,)] = await tx.fetch("select strokes from bell")
    await note(tx, command.trip, "ring")
    tx.tell(Rung(number), "bell")
    return Done()


@village.hears(Rung)
async def rung(tx: Tx, event: Rung) -> None:
    await tx.run("insert into heard (number) values (:number)", (event.number,))


async def _heard(readers: Readers) -> tuple[int, list[int]]:
    [(strokes,)] = await readers["tower"].fetch("select strokes from bell")
    return strokes, [number for (number,) in await readers["village"].fetch("select number from heard order by rowid")]


async def heard_once(readers: Readers) -> list[Finding]:
    strokes, heard = await _heard(readers)
    once = sorted(heard) == [*range(1, strokes + 1)]
    return [Finding("what is told is heard once", once, {"told": strokes, "heard": len(heard)})]


async def heard_in_order(readers: Readers) -> list[Finding]:
    _, heard = await _heard(readers)
    return [Finding("what is told of one key is heard in order", heard == sorted(heard), {}, str(heard))]


ring_bell = Saga("ring-bell", Wish, retriable("ring", lambda wish: Ring(wish.trip)))


def _wish(random: Random) -> Wish:
    return Wish(f"wish {random.getrandbits(40):010x}")


_MIGRATIONS = {
    "tower": [
        EFFECTS,
        Migration(2, "bell", ("create table bell (strokes integer)", "insert into bell values (0)")),
    ],
    "village": [Migration(1, "heard", ("create table heard (number integer)",))],
}
_JUDGES = [as_the_sagas_say(ring_bell, ["tower"]), heard_once]


def waited_for(_instance: Instance, _chance: Random) -> None:
    """Nothing is done to sagas; but there is somebody who has messages tried again that were given up."""


BELLS = Scenario(ring_bell, [tower, village], _wish, _MIGRATIONS, _JUDGES, sagas=12)

IN_ORDER = Scenario(
    ring_bell,
    [tower, village],
    _wish,
    _MIGRATIONS,
    [*_JUDGES, heard_in_order],
    sagas=12,
    faults={"participant fails": 0.6, "commit refused": 0.2, "database away": 0.1, "receipt lost": 0.2, "crash": 1.0},
)
"""The faults after which a way that keeps its order still has it: nothing is late, nothing is lost and sent again."""
