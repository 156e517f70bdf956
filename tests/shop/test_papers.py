"""Papers that clients keep by hand in a room."""

import pytest

from amends import Participant
from shop.papers import change_paper, find_paper, migration, put_papers
from tests.shop.conftest import AskedRoom, OpenRoom


@pytest.fixture
async def room(open_room: OpenRoom) -> AskedRoom:
    return await open_room(Participant("archive"), (migration(1),))


async def test_papers_are_kept_by_scope_and_id(room: AskedRoom) -> None:
    await room.do(put_papers, "a", {"1": "one", "2": "two"})
    await room.do(put_papers, "b", {"1": "another"})
    found = [await room.see(find_paper, scope, id) for scope, id in (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"))]
    assert found == ["one", "two", "another", None]


async def test_paper_that_is_there_is_not_written_over(room: AskedRoom) -> None:
    await room.do(put_papers, "a", {"1": "one"})
    await room.do(put_papers, "a", {"1": "other", "2": "two"})
    assert [await room.see(find_paper, "a", id) for id in "12"] == ["one", "two"]


async def test_paper_is_replaced_and_removed(room: AskedRoom) -> None:
    await room.do(put_papers, "a", {"1": "one"})
    assert await room.do(change_paper, "a", "1", "other") is True
    assert await room.see(find_paper, "a", "1") == "other"
    assert await room.do(change_paper, "a", "1", None) is True
    assert await room.see(find_paper, "a", "1") is None


async def test_paper_that_is_not_there_can_not_be_changed(room: AskedRoom) -> None:
    await room.do(put_papers, "b", {"1": "one"})
    for body in ("other", None):
        assert await room.do(change_paper, "a", "1", body) is False
    assert await room.see(find_paper, "a", "1") is None
    assert await room.see(find_paper, "b", "1") == "one"
