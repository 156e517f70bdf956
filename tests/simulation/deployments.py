"""Deployments of errands: builds of the store that forget something, or don't start, and one from before a change."""

from dataclasses import replace
from typing import Any

from amends import Participant, Saga, Tx
from amends.testing.programs import Program
from tests.simulation import errands
from tests.simulation.effects import note
from tests.simulation.errands import ERRANDS, Ask, Drop, Errand, Forget, Hold, Pack, Send, errand

older_errand = Saga("errand", Errand, *errand.steps, deadline_s=errand.deadline_s)
"""It packs before it sends."""


def before_the_change() -> Program:
    return Program(definitions=[older_errand])


def without_packing() -> Program:
    return Program(_store())


def forgets_to_answer() -> Program:
    made = _store()
    register: Any = made.handles(Pack)
    register(_pack)
    return Program(made)


def packs_twice() -> Program:
    made = _store()
    made.handles(Pack)(errands.pack)
    made.handles(Pack)(errands.pack)
    return Program(made)


def sends_as_well() -> Program:
    made = _store()
    made.handles(Send)
    return Program(made)


async def _pack(tx: Tx, command: Pack) -> None:
    await note(tx, command.trip, "pack")


def _store() -> Participant:
    made = Participant("store")
    made.handles(Ask)(errands.ask)
    made.handles(Forget)(errands.forget)
    made.handles(Hold)(errands.hold)
    made.handles(Drop)(errands.drop)
    return made


DEPLOYED = replace(
    ERRANDS,
    older=[older_errand],
    builds={"sagas": [before_the_change], "store": [without_packing, forgets_to_answer, packs_twice, sends_as_well]},
    faults={
        "other build": 0.7,
        "stop": 0.3,
        "crash": 0.1,
        "message late": 0.05,
        "message lost": 0.05,
        "answer lost": 0.05,
    },
    steady=True,
    sagas=8,
)
