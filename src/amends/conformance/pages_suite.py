"""The pages `leases`, `parked`, `idempotency_keys` and `mends`."""

import pytest

from amends.conformance.fixtures import NOW, envelope
from amends.errors import Conflict
from amends.messages import SagaId
from amends.pages import KeyScope, Mend, Parked, SetAside, StoredAnswer
from amends.ports import Storage


class TestLeases:
    async def test_epoch_grows_with_every_acquisition(self, storage: Storage) -> None:
        async with storage.transaction(NOW) as tx:
            assert await storage.leases.hold(tx, ["trips/0"]) == {}
        epochs = []
        for holder, names in (("one", ["trips/0"]), ("two", ["trips/0", "trips/1"]), ("two", ["trips/0"])):
            async with storage.transaction(NOW) as tx:
                epochs.append(await storage.leases.acquire(tx, names, holder))
        assert epochs == [{"trips/0": 1}, {"trips/0": 2, "trips/1": 1}, {"trips/0": 3}]
        async with storage.reading() as reader:
            assert await storage.leases.epochs(reader, ["trips/0", "trips/1", "other/0"]) == {
                "trips/0": 3,
                "trips/1": 1,
            }
        async with storage.transaction(NOW) as tx:
            assert await storage.leases.hold(tx, ["trips/1", "other/0"]) == {"trips/1": 1}


class TestParking:
    async def test_parked_messages_come_back_in_the_order_in_which_they_came(self, storage: Storage) -> None:
        rows = [Parked(envelope(id), "boom", 1, NOW + 0.5, NOW) for id in ("z", "a", "m")]
        async with storage.transaction(NOW) as tx:
            await storage.parking.insert(tx, rows[:2])
            await storage.parking.insert(tx, rows[2:])
        async with storage.reading() as reader:
            assert await storage.parking.all(reader, 10) == rows
            assert await storage.parking.all(reader, 2) == rows[:2]

    async def test_message_is_parked_once(self, storage: Storage) -> None:
        row = Parked(envelope("a"), "boom", 1, NOW, NOW)
        async with storage.transaction(NOW) as tx:
            await storage.parking.insert(tx, [row])
            await storage.parking.insert(tx, [row._replace(error="again")])
        async with storage.reading() as reader:
            assert await storage.parking.all(reader, 10) == [row]

    async def test_update_keeps_the_place_and_remove_ends_it(self, storage: Storage) -> None:
        rows = [Parked(envelope(id), "boom", 1, NOW, NOW) for id in ("a", "b", "c")]
        given_up = rows[0]._replace(error="worse", attempts=8, retry_at=None)
        async with storage.transaction(NOW) as tx:
            await storage.parking.insert(tx, rows)
            await storage.parking.update(tx, given_up)
            await storage.parking.remove(tx, ["b", "never seen"])
        async with storage.reading() as reader:
            assert await storage.parking.all(reader, 10) == [given_up, rows[2]]

    async def test_given_up_messages_are_counted_apart_from_those_that_wait(self, storage: Storage) -> None:
        given_up = [Parked(envelope(id), "boom", 8, None, NOW) for id in ("a", "b")]
        tried_again = Parked(envelope("c"), "boom", 1, NOW + 1, NOW)
        behind = [Parked(envelope(id), "waits behind its key", 0, None, NOW) for id in ("d", "e")]
        async with storage.transaction(NOW) as tx:
            assert await storage.parking.count(tx) == SetAside(0, 0)
            await storage.parking.insert(tx, [*given_up, tried_again, *behind])
        async with storage.reading() as reader:
            assert await storage.parking.count(reader) == SetAside(2, 3)


ANN = KeyScope("ann", "POST", "/orders", "k1")
ANSWER = StoredAnswer(b"\x00\xff", 202, b"[]", b'{"id":1}', 0.0)


class TestKeys:
    async def test_answer_belongs_to_principal_method_route_and_key(self, storage: Storage) -> None:
        others = [ANN._replace(principal="bob"), ANN._replace(method="PUT"), ANN._replace(route="/refunds")]
        async with storage.transaction(NOW) as tx:
            await storage.keys.insert(tx, [(ANN, ANSWER), (others[0], ANSWER._replace(status=409))])
        async with storage.reading() as reader:
            known = await storage.keys.known(reader, [ANN, *others, ANN._replace(key="k2")])
        assert known[ANN] == ANSWER
        assert known[others[0]].status == 409
        assert not known.keys() & set(others[1:])

    async def test_key_that_is_there_already_is_a_conflict(self, storage: Storage) -> None:
        async with storage.transaction(NOW) as tx:
            await storage.keys.insert(tx, [(ANN, ANSWER)])

        async def again() -> None:
            async with storage.transaction(NOW) as tx:
                await storage.keys.insert(tx, [(ANN._replace(key="k2"), ANSWER), (ANN, ANSWER)])

        with pytest.raises(Conflict):
            await again()
        async with storage.reading() as reader:
            assert await storage.keys.known(reader, [ANN, ANN._replace(key="k2")]) == {ANN: ANSWER}

    async def test_answer_is_replaced(self, storage: Storage) -> None:
        running = StoredAnswer(b"\x00\xff", 0, b"", b"", NOW + 30)
        bob = ANN._replace(principal="bob")
        async with storage.transaction(NOW) as tx:
            await storage.keys.insert(tx, [(ANN, running), (bob, running)])
            await storage.keys.replace(tx, ANN, ANSWER)
        async with storage.reading() as reader:
            assert await storage.keys.known(reader, [ANN, bob]) == {ANN: ANSWER, bob: running}

    async def test_old_keys_are_removed(self, storage: Storage) -> None:
        for age in (30, 20, 10):
            async with storage.transaction(NOW - age) as tx:
                await storage.keys.insert(tx, [(ANN._replace(key=f"k{age}"), ANSWER)])
        async with storage.transaction(NOW) as tx:
            assert await storage.keys.remove_before(tx, NOW - 15) == 2
            known = await storage.keys.known(tx, [ANN._replace(key=f"k{age}") for age in (30, 20, 10)])
        assert [scope.key for scope in known] == ["k10"]


ASKED = Mend("1", SagaId("s1"), "", "cancel", "ann", "changed my mind", NOW)


class TestMends:
    async def test_waiting_mends_come_in_order_until_they_are_closed(self, storage: Storage) -> None:
        mends = [ASKED, ASKED._replace(id="2", step="book"), ASKED._replace(id="3", applied_at=NOW, result="done")]
        async with storage.transaction(NOW) as tx:
            for mend in reversed(mends):
                await storage.mends.insert(tx, mend)
        async with storage.reading() as reader:
            assert await storage.mends.waiting(reader, 10) == mends[:2]
            assert await storage.mends.waiting(reader, 1) == mends[:1]
        async with storage.transaction(NOW + 5) as tx:
            await storage.mends.close(tx, "1", "impossible: it has ended")
        async with storage.reading() as reader:
            assert await storage.mends.waiting(reader, 10) == mends[1:2]
            closed = ASKED._replace(applied_at=NOW + 5, result="impossible: it has ended")
            assert (await storage.mends.of_saga(reader, SagaId("s1")))[0] == closed

    async def test_mends_of_a_saga_are_its_own(self, storage: Storage) -> None:
        async with storage.transaction(NOW) as tx:
            await storage.mends.insert(tx, ASKED)
            await storage.mends.insert(tx, ASKED._replace(id="2", saga=SagaId("s2")))
        async with storage.reading() as reader:
            assert await storage.mends.of_saga(reader, SagaId("s2")) == [ASKED._replace(id="2", saga=SagaId("s2"))]
