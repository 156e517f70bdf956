"""Messages of a commit that nobody heard of leave as soon as the table tells that it took place."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from amends.adapters.sqlite.connection import SqliteTx
from amends.outbox import UNSURE_AFTER_S
from tests.amends.test_outbox import Post


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    post = Post(tmp_path)
    await post.storage.migrate()
    await post.relay.tidy()
    yield post
    await post.storage.close()


async def put_unheard(post: Post, *ids: str) -> None:
    """Commits, and what was to follow does not: the answer is lost, or whoever waited for it was cancelled."""
    async with post.storage.transaction(post.runtime.now()) as tx:
        await post.relay.put(tx, [post.message(id) for id in ids])
        assert isinstance(tx, SqliteTx)
        tx.actions.clear()


async def test_they_leave_a_moment_later_and_once(post: Post) -> None:
    await put_unheard(post, "m1", "m2")
    await put_unheard(post, "m3")
    await post.relay.tidy()
    assert post.wire.sent == []
    for _ in range(3):
        post.runtime.jump(UNSURE_AFTER_S)
        await post.relay.tidy()
    assert post.wire.sent == ["m1", "m2", "m3"]


async def test_their_rows_go_when_they_are_taken(post: Post) -> None:
    await put_unheard(post, "m1")
    post.runtime.jump(UNSURE_AFTER_S)
    await post.relay.tidy()
    post.wire.take("m1")
    await post.put("m2")
    assert await post.left() == ["m2"]


async def test_what_was_rolled_back_is_looked_for_once_and_never_leaves(post: Post) -> None:
    with pytest.raises(apsw.SQLError):
        await post.put_and_fail("m1")
    post.runtime.jump(UNSURE_AFTER_S)
    await post.relay.tidy()
    await post.put("m2")
    post.runtime.jump(UNSURE_AFTER_S)
    await post.relay.tidy()
    assert post.wire.sent == ["m2"]


async def test_what_was_heard_of_is_not_looked_for(post: Post) -> None:
    await post.put("m1")
    post.runtime.jump(UNSURE_AFTER_S)
    await post.relay.tidy()
    assert post.wire.sent == ["m1"]
