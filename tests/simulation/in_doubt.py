"""Votes whose holders don't wait to be told for ever: what is held for long is settled by the coordinator's decision.

As a janitor does with prepared transactions of PostgreSQL: what was committed commits, what has turned back, or never
began, goes back, and what is undecided waits.
"""

from collections.abc import Mapping
from dataclasses import replace

from amends import Done, Migration, Participant, Tx
from amends.decisions import Decisions, Fate
from amends.messages import SagaId
from amends.participant import Asked
from amends.service import Service
from tests.simulation.votes import (
    COMMANDS,
    NAMES,
    VOTES,
    GiveBack,
    Hold,
    NothingLeft,
    OnVote,
    Take,
    give_back,
    hold,
    returned,
    take,
    taken,
)

_OLD_S = 0.5


async def _prepare(tx: Tx, command: OnVote, asked: Asked) -> Done | NothingLeft:
    """What is held is known by its saga."""
    answer = await hold(tx, command)
    await tx.run("insert into doubts (saga, trip, at) values (?, ?, ?)", (asked.saga, command.trip, tx.now))
    return answer


async def settle(service: Service, decisions: Decisions) -> None:
    """The janitor's round."""
    async with service.storage.reading() as reader:
        sql = "select saga, trip from doubts where at < ? order by saga"
        old = await reader.fetch(sql, (service.runtime.now() - _OLD_S,))
    fates = await decisions([SagaId(saga) for saga, _ in old]) if old else {}
    async with service.transaction() as tx:
        for saga, trip in old:
            await _end(tx, saga, trip, fates)


async def _end(tx: Tx, saga: str, trip: str, fates: Mapping[SagaId, Fate]) -> None:
    fate = fates[SagaId(saga)]
    if fate is not Fate.UNDECIDED:
        await (taken if fate is Fate.COMMIT else returned)(tx, trip)
        await tx.run("delete from doubts where saga = ?", (saga,))


def _participant(name: str) -> Participant:
    made = Participant(name)
    made.handles_later(COMMANDS[Hold, name])(_prepare)
    made.handles(COMMANDS[Take, name])(take)
    made.handles(COMMANDS[GiveBack, name])(give_back)
    return made


_DOUBTS = Migration(3, "doubts", ("create table doubts (saga text, trip text, at real)",))
IN_DOUBT = replace(
    VOTES,
    participants=[_participant(name) for name in NAMES],
    migrations={name: [*VOTES.migrations[name], _DOUBTS] for name in NAMES},
    janitors=dict.fromkeys(NAMES, settle),
)
