"""What a coordinator's log says of its sagas, at every point of their lives."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from amends import Saga
from amends.adapters.sqlite import SqliteStorage
from amends.decisions import Fate, Log, LoggedDecisions
from amends.messages import Envelope, SagaId
from tests.amends.travel import Travel, Wish, by_votes


async def fate(travel: Travel, definitions: Sequence[Saga[Wish]]) -> Fate:
    """Of the one saga."""
    storage, id = travel.services["travel"].storage, await only_saga(travel)
    return (await LoggedDecisions(Log(storage, definitions))([id]))[id]


async def only_saga(travel: Travel) -> SagaId:
    async with travel.services["travel"].storage.reading() as reader:
        [(id,)] = await reader.fetch("select id from sagas")
    return SagaId(id)


@pytest.mark.parametrize(
    ("held", "hotel", "expected"),
    [
        (lambda _: True, "yes", Fate.UNDECIDED),
        (lambda each: each.sender == "plane", "yes", Fate.UNDECIDED),
        (lambda each: "Settle" in each.type, "yes", Fate.COMMIT),
        (lambda _: False, "yes", Fate.COMMIT),
        (lambda each: "Settle" in each.type, "no", Fate.ABORT),
        (lambda _: False, "no", Fate.ABORT),
    ],
    ids=["begun", "still voting", "decided", "completed", "turned back", "compensated"],
)
async def test_fate_is_what_was_logged(
    tmp_path: Path, held: Callable[[Envelope], bool], hotel: str, expected: Fate
) -> None:
    travel = await Travel(tmp_path, by_votes()).open()
    travel.hold = held
    await travel.start(Wish("w", hotel))
    assert await fate(travel, [travel.saga]) is expected
    await travel.crash()


@pytest.mark.parametrize(("hotel", "expected"), [("yes", Fate.UNDECIDED), ("no", Fate.ABORT)])
async def test_of_an_unknown_definition_only_the_way_back_is_certain(
    tmp_path: Path, hotel: str, expected: Fate
) -> None:
    travel = await Travel(tmp_path, by_votes()).open()
    travel.hold = lambda each: "Settle" in each.type
    await travel.start(Wish("w", hotel))
    assert await fate(travel, []) is expected
    await travel.crash()


async def test_saga_that_no_log_knows_is_aborted_and_one_that_any_knows_is_not(tmp_path: Path) -> None:
    travel = await Travel(tmp_path, by_votes()).open()
    await travel.start(Wish("w"))
    other = SqliteStorage(tmp_path / "other.db")
    await other.migrate()
    id = await only_saga(travel)
    decide = LoggedDecisions(Log(travel.services["travel"].storage, [travel.saga]), Log(other, []))
    assert await decide([id, SagaId("nobody's")]) == {id: Fate.COMMIT, "nobody's": Fate.ABORT}
    await other.close()
    await travel.crash()
