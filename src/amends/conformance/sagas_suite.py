"""The page `sagas`."""

import pytest

from amends.conformance.fixtures import NOW, instance
from amends.errors import Conflict
from amends.messages import SagaId
from amends.pages import Change, Instance, SagaFilter
from amends.ports import Storage
from amends.state import Status


async def stored(storage: Storage, *instances: Instance) -> None:
    async with storage.transaction(NOW) as tx:
        await storage.sagas.insert(tx, instances)


async def save(storage: Storage, *changes: Change) -> None:
    async with storage.transaction(NOW) as tx:
        await storage.sagas.save(tx, changes)


async def load(storage: Storage, *ids: str) -> dict[SagaId, Instance]:
    async with storage.reading() as reader:
        return await storage.sagas.load(reader, [SagaId(id) for id in ids])


async def found(storage: Storage, wanted: SagaFilter) -> list[str]:
    async with storage.reading() as reader:
        return [each.id for each in await storage.sagas.find(reader, wanted)]


class TestSagas:
    async def test_saga_comes_back_as_it_was_stored(self, storage: Storage) -> None:
        sagas = [instance("a"), instance("b", Status.STUCK), instance("c", Status.COMPENSATING)]
        await stored(storage, *sagas)
        assert await load(storage, "c", "a", "b", "nobody") == {each.id: each for each in sagas}

    async def test_nothing_is_loaded_for_no_ids(self, storage: Storage) -> None:
        assert await load(storage) == {}

    async def test_change_is_saved(self, storage: Storage) -> None:
        before = instance("a")
        await stored(storage, before)
        after = before.moved(instance("a", Status.COMPENSATING).state, NOW + 9)
        await save(storage, Change(before, after))
        assert (await load(storage, "a"))[SagaId("a")] == after

    async def test_change_of_the_state_alone_keeps_the_timer(self, storage: Storage) -> None:
        before = instance("a")
        await stored(storage, before)
        await save(storage, Change(before, before.moved(before.state, before.wake_at)))
        [after] = (await load(storage, "a")).values()
        assert (after.revision, after.wake_at) == (before.revision + 1, before.wake_at)

    async def test_ended_saga_has_no_timer(self, storage: Storage) -> None:
        before = instance("a")
        await stored(storage, before)
        await save(storage, Change(before, before.moved(instance("a", Status.COMPLETED).state, None)))
        async with storage.transaction(NOW * 2) as tx:
            assert await storage.sagas.due(tx, [0], 10) == []
            assert await storage.sagas.in_flight(tx) == []

    @pytest.mark.parametrize("status", [Status.RUNNING, Status.COMPLETED], ids=str)
    async def test_stale_revision_is_a_conflict_and_nothing_is_written(self, storage: Storage, status: Status) -> None:
        fresh, stale = instance("a"), instance("b", revision=4)
        await stored(storage, fresh, stale._replace(revision=5))
        state = instance("x", status).state
        wake = NOW + 1 if status is Status.RUNNING else None
        changes = [Change(fresh, fresh.moved(state, wake)), Change(stale, stale.moved(state, wake))]
        with pytest.raises(Conflict):
            await save(storage, *changes)
        assert [each.revision for each in (await load(storage, "a", "b")).values()] == [1, 5]

    async def test_due_are_those_whose_timer_has_come_longest_first(self, storage: Storage) -> None:
        timers = {"a": NOW, "b": NOW - 5, "c": NOW + 0.5, "d": NOW - 9}
        await stored(storage, *[instance(id, wake_at=at) for id, at in timers.items()], instance("e", Status.STUCK))
        async with storage.transaction(NOW) as tx:
            assert [each.id for each in await storage.sagas.due(tx, [0], 10)] == ["d", "b", "a"]
            assert [each.id for each in await storage.sagas.due(tx, [0], 2)] == ["d", "b"]

    async def test_in_flight_are_all_that_have_not_ended_oldest_first(self, storage: Storage) -> None:
        statuses = [Status.STUCK, Status.COMPLETED, Status.RUNNING, Status.COMPENSATED, Status.COMPENSATING]
        await stored(storage, *[instance(f"s{number}", status) for number, status in enumerate(statuses)])
        async with storage.reading() as reader:
            assert [each.id for each in await storage.sagas.in_flight(reader)] == ["s0", "s2", "s4"]

    async def test_count_is_of_those_that_have_not_ended(self, storage: Storage) -> None:
        statuses = [Status.STUCK, Status.COMPLETED, Status.RUNNING, Status.STUCK]
        await stored(storage, *[instance(f"s{number}", status) for number, status in enumerate(statuses)])
        async with storage.reading() as reader:
            assert await storage.sagas.count(reader) == {Status.RUNNING: 1, Status.STUCK: 2}

    async def test_shards_are_looked_after_apart(self, storage: Storage) -> None:
        shards = {"a": 0, "b": 1, "c": 1, "d": 2}
        await stored(storage, *[instance(id, wake_at=NOW)._replace(shard=shard) for id, shard in shards.items()])
        assert [each.shard for each in (await load(storage, "b")).values()] == [1]
        async with storage.transaction(NOW) as tx:
            assert sorted(each.id for each in await storage.sagas.due(tx, [1, 2], 10)) == ["b", "c", "d"]
            assert await storage.sagas.due(tx, [], 10) == []
            assert [each.id for each in await storage.sagas.in_flight(tx, [0, 2])] == ["a", "d"]

    @pytest.mark.parametrize("status", Status, ids=str)
    async def test_find_by_status(self, storage: Storage, status: Status) -> None:
        await stored(storage, *[instance(each.value, each) for each in Status])
        assert await found(storage, SagaFilter(status=status.value)) == [status.value]

    async def test_find_is_newest_first_and_bounded(self, storage: Storage) -> None:
        await stored(storage, *[instance(f"s{number}") for number in range(5)])
        assert await found(storage, SagaFilter(limit=3)) == ["s4", "s3", "s2"]

    async def test_find_goes_on_behind_a_cursor(self, storage: Storage) -> None:
        await stored(storage, *[instance(f"s{number}") for number in range(5)])
        assert await found(storage, SagaFilter(before="s3", limit=2)) == ["s2", "s1"]

    async def test_find_by_name_and_age(self, storage: Storage) -> None:
        await stored(
            storage,
            instance("a", name="trip", started_at=NOW - 10),
            instance("b", name="trip", started_at=NOW),
            instance("c", name="walk", started_at=NOW - 10),
        )
        assert await found(storage, SagaFilter(name="trip")) == ["b", "a"]
        assert await found(storage, SagaFilter(started_before=NOW - 10)) == ["c", "a"]
        assert await found(storage, SagaFilter(name="trip", started_before=NOW - 5)) == ["a"]
