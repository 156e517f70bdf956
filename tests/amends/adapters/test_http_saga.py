"""A trip whose hotel is asked over HTTP: mounted in any framework, away, slow, cut off, asked twice."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import litestar
import pytest
from fastapi import FastAPI
from litestar.handlers import asgi
from msgspec.structs import replace

from amends import Done, Participant, Tx
from amends.adapters.embedded import Embedded
from amends.adapters.http import HttpTransport, inbox_app, participant_app
from amends.adapters.inprocess import InProcess
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ignore, received
from amends.coordinator import Begin
from amends.messages import MessageId, SagaId
from amends.pages import Instance
from amends.service import Service
from amends.signals import Signals
from amends.state import ENDED, Status
from amends.testing.faults import Recording
from tests.amends.adapters.http_hotel import Hotel
from tests.amends.adapters.http_server import PATIENCE_S, Ear, serving
from tests.amends.trips import (
    EFFECTS,
    ROOMS,
    Declined,
    OnTrip,
    Trip,
    insert_effect,
    trip_saga,
)
from tools.servers.proxy import TcpProxy

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Travel:
    """The coordinator and the rooms that are in its process; the hotel is another process's."""

    def __init__(self, folder: Path) -> None:
        self.home = Embedded(folder / "travel")
        self.refused: set[str] = set()
        self.ear = Ear(self.home.signals)
        self.saga = trip_saga()

    async def open(self, url: str, **options: Any) -> "Travel":
        home = self.home
        await home.__aenter__()
        self.http = HttpTransport({"hotel": url}, home.transport, home.runtime, home.signals, **options)
        home.transport = self.sent = Recording(self.http)
        for name in ROOMS.keys() - {"trips", "hotel"}:
            await home.add(name, participant=self._participant(name), migrations=EFFECTS)
        self.trips = await home.add(
            "trips", participant=self._participant("trips"), definitions=[self.saga], migrations=EFFECTS
        )
        return self

    async def run(self, *trips: str) -> list[Instance]:
        """Starts sagas and waits until each has ended, or needs a person."""
        ended = [asyncio.get_running_loop().create_future() for _ in trips]
        assert self.trips.coordinator is not None
        for trip, future in zip(trips, ended, strict=True):
            self.trips.coordinator.watch.add(SagaId(trip), _teller(future))
        async with self.trips.transaction() as tx:
            begins = [Begin(SagaId(trip), Trip(trip), TRACE) for trip in trips]
            await self.trips.coordinator.start(tx, self.saga, begins)
        return await asyncio.wait_for(asyncio.gather(*ended), PATIENCE_S)

    async def ended(self, trip: str) -> Instance:
        """Waits for a saga that was started before this process was."""
        while True:
            moved = self.ear.next("sagas.moved")
            async with self.trips.storage.reading() as reader:
                found = (await self.trips.storage.sagas.load(reader, [SagaId(trip)]))[SagaId(trip)]
            if found.state.status in ENDED:
                return found
            await asyncio.wait_for(moved.wait(), PATIENCE_S)

    async def outbox(self) -> int:
        """How many messages are left, after the last ones that were taken have been removed."""
        async with self.trips.transaction() as tx:
            await self.trips.relay.forget(tx)
            return len(await self.trips.storage.outbox.unsent(tx, tx.now, 100))

    async def close(self) -> None:
        self.http.close()
        await self.home.stop()

    def _participant(self, name: str) -> Participant:
        room = Participant(name)
        for command in ROOMS[name]:
            room.handles(command)(self._handle)
        return room

    async def _handle(self, tx: Tx, asked: OnTrip) -> Done | Declined:
        if type(asked).__name__ in self.refused:
            return Declined()
        await tx.run(insert_effect, {"what": type(asked).__name__, "trip": asked.trip})
        return Done()


def _teller(future: "asyncio.Future[Instance]") -> Callable[[Instance], None]:
    def tell(moved: Instance) -> None:
        if moved.state.status in ENDED | {Status.STUCK} and not future.done():
            future.set_result(moved)

    return tell


@asynccontextmanager
async def travelling(folder: Path, url: str, **options: Any) -> AsyncIterator[Travel]:
    travel = await Travel(folder).open(url, **options)
    try:
        yield travel
    finally:
        await travel.close()


@pytest.fixture
async def hotel(tmp_path: Path) -> AsyncIterator[Hotel]:
    (tmp_path / "hotel").mkdir()
    opened = await Hotel(tmp_path / "hotel").start()
    yield opened
    await opened.service.stop()


def in_litestar(hotel: Service) -> Any:
    return litestar.Litestar([asgi("/hotel", is_mount=True, copy_scope=True)(participant_app(hotel))])


def in_fastapi(hotel: Service) -> Any:
    app = FastAPI()
    app.mount("/hotel", participant_app(hotel))
    return app


@pytest.mark.parametrize("mounted", [in_litestar, in_fastapi])
async def test_saga_runs_over_http(mounted: Callable[[Service], Any], hotel: Hotel, tmp_path: Path) -> None:
    async with serving(mounted(hotel.service)) as url, travelling(tmp_path, f"{url}/hotel") as travel:
        trips = [f"t{number}" for number in range(20)]
        ended = await travel.run(*trips)
        assert {saga.state.status for saga in ended} == {Status.COMPLETED}
        assert sorted(await hotel.effects()) == sorted(f"BookHotel {trip}" for trip in trips)
        assert await travel.outbox() == 0


@pytest.mark.parametrize("mounted", [in_litestar, in_fastapi])
async def test_refused_saga_is_undone_over_http(
    mounted: Callable[[Service], Any], hotel: Hotel, tmp_path: Path
) -> None:
    async with serving(mounted(hotel.service)) as url, travelling(tmp_path, f"{url}/hotel") as travel:
        travel.refused.add("ChargeCard")
        [ended] = await travel.run("t1")
        assert ended.state.status is Status.COMPENSATED
        assert await hotel.effects() == ["BookHotel t1", "CancelHotel t1"]


async def test_refusal_comes_back_over_http(hotel: Hotel, tmp_path: Path) -> None:
    hotel.full.add("t1")
    async with serving(hotel.app) as url, travelling(tmp_path, url) as travel:
        [ended] = await travel.run("t1")
        assert (ended.state.status, ended.state.cause) == (Status.COMPENSATED, "full")


async def test_every_request_carried_out_twice_has_one_effect(hotel: Hotel, tmp_path: Path) -> None:
    async def twice(scope: Any, receive: Any, send: Any) -> None:
        messages: list[Any] = []

        async def once_more() -> Any:
            messages.append(await receive())
            return messages[-1]

        async def again() -> Any:
            return messages.pop(0)

        async def ignore(_: Any) -> None: ...

        await hotel.app(scope, once_more, ignore)
        await hotel.app(scope, again, send)

    async with serving(twice) as url, travelling(tmp_path, url) as travel:
        travel.refused.add("ChargeCard")
        ended = await travel.run("t1", "t2", "t3")
        assert {saga.state.status for saga in ended} == {Status.COMPENSATED}
        assert sorted(await hotel.effects()) == sorted(
            f"{what} t{n}" for what in ("BookHotel", "CancelHotel") for n in (1, 2, 3)
        )


async def test_lost_response_is_asked_for_again_and_given_from_the_barrier(hotel: Hotel, tmp_path: Path) -> None:
    left = [1, 2, 3]

    async def losing(scope: Any, receive: Any, send: Any) -> None:
        said: list[Any] = []

        async def keep(message: Any) -> None:
            said.append(message)

        await hotel.app(scope, receive, keep)
        if scope["type"] == "http" and left:
            left.pop()
            await proxy.cut()  # the hotel has committed, and nobody hears it
            await proxy.heal()
        for message in said:
            await send(message)

    async with serving(losing) as url:
        proxy = TcpProxy(int(url.rpartition(":")[2]))
        await proxy.start()
        async with travelling(tmp_path, f"http://127.0.0.1:{proxy.port}") as travel:
            [ended] = await travel.run("t1")
            assert ended.state.status is Status.COMPLETED
            assert [step.attempts for step in ended.state.steps][1:] == [1, 1, 1, 1]
        await proxy.stop()
    assert left == []
    assert await hotel.effects() == ["BookHotel t1"]


async def test_coordinator_that_dies_once_the_participant_has_committed_asks_again(
    hotel: Hotel, tmp_path: Path
) -> None:
    committed, never = asyncio.Event(), asyncio.Event()

    async def mute(scope: Any, receive: Any, send: Any) -> None:
        said: list[Any] = []

        async def keep(message: Any) -> None:
            said.append(message)

        await hotel.app(scope, receive, keep)
        if said and not committed.is_set():
            committed.set()
            await never.wait()
        for message in said:
            await send(message)

    async with serving(mute) as url:
        async with travelling(tmp_path, url) as travel:
            dying = asyncio.get_running_loop().create_task(travel.run("t1"))
            await committed.wait()
            dying.cancel()
            await asyncio.wait([dying])
        async with travelling(tmp_path, url) as travel:
            assert (await travel.ended("t1")).state.status is Status.COMPLETED
        never.set()
    assert await hotel.effects() == ["BookHotel t1"]


async def test_participant_that_was_down_is_asked_when_it_is_back(hotel: Hotel, tmp_path: Path) -> None:
    async with serving(hotel.app) as url:
        pass
    async with travelling(tmp_path, url) as travel:
        running = asyncio.get_running_loop().create_task(travel.run("t1", "t2"))
        await travel.ear.first("http.away")
        async with serving(hotel.app, int(url.rpartition(":")[2])):
            assert {saga.state.status for saga in await running} == {Status.COMPLETED}
    assert sorted(await hotel.effects()) == ["BookHotel t1", "BookHotel t2"]


async def test_slow_participant_does_its_work_once(hotel: Hotel, tmp_path: Path) -> None:
    """The transport gives up on an answer, asks again, and gets the stored reply."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        said: list[Any] = []

        async def keep(message: Any) -> None:
            said.append(message)

        if scope["type"] != "http":
            return
        await hotel.app(scope, receive, keep)
        if asked.is_set():
            go_on.set()
        asked.set()
        await go_on.wait()
        for message in said:
            await send(message)

    async with serving(slow) as url, travelling(tmp_path, url, timeout_s=0.1) as travel:
        [ended] = await travel.run("t1")
        assert ended.state.status is Status.COMPLETED
        assert [told["error"] for told in travel.ear.all("http.away")] == ["no answer within 0.1 s"]
    assert await hotel.effects() == ["BookHotel t1"]


async def test_zombie_coordinator_gets_nothing_done(hotel: Hotel, tmp_path: Path) -> None:
    async with serving(hotel.app) as url, travelling(tmp_path, url) as travel:
        await travel.run("t1")
        asked = next(each for each in travel.sent.sent if each.to == "hotel")
        stale = replace(asked, id=MessageId("m1"), key="t2", saga=SagaId("t2"), epoch=asked.epoch - 1)
        travel.http.send([replace(stale, payload=b'{"trip":"t2"}')], ignore)
        assert "409 replaced-epoch" in str((await travel.ear.first("http.rejected"))["error"])
    assert await hotel.effects() == ["BookHotel t1"]


async def test_saga_whose_participant_does_not_know_the_command_shows_it(hotel: Hotel, tmp_path: Path) -> None:
    """A deployment error: before the pivot the trip is given up, its compensation is stuck and waits for a person."""
    async with serving(hotel.app) as url, travelling(tmp_path, f"{url}/no-such-path") as travel:
        [ended] = await travel.run("t1")
        assert ended.state.status is Status.STUCK
        assert {told["error"] for told in travel.ear.all("http.rejected")} == {
            "404 not-found: messages are posted to /, not to /no-such-path/"
        }


async def test_traceparent_goes_there_and_back(hotel: Hotel, tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        heard.extend(value for name, value in scope.get("headers", []) if name == b"traceparent")
        await hotel.app(scope, receive, send)

    async with serving(listening) as url, travelling(tmp_path, url) as travel:
        await travel.run("t1")
        assert heard == [TRACE.encode()]
        assert {each.traceparent for each in travel.sent.sent} == {TRACE}


async def test_reply_that_comes_later_comes_by_the_way_back(tmp_path: Path) -> None:
    """Both ends are servers: nobody has to ask again."""
    inbox = InProcess()
    guests = inbox.subscribe("guests")
    async with serving(inbox_app(inbox, ["guests"])) as way_back:
        hotel = await Hotel(
            tmp_path, lambda own, runtime: HttpTransport({"guests": way_back}, own, runtime, Signals())
        ).start()
        async with serving(hotel.app) as url:
            transport = HttpTransport({"hotel": url}, inbox, hotel.runtime, Signals())
            command = replace(
                envelope("m1", key="t1"), type="hotel.AskGuest", payload=b'{"trip":"t1"}', sender="guests"
            )
            transport.send([command], ignore)
            await hotel.ear.first("participant.hop")
            await hotel.answer(hotel.asked[0])
            [reply] = await received(guests, 1)
            transport.close()
        await hotel.service.stop()
        assert isinstance(hotel.transport, HttpTransport)
        hotel.transport.close()
    assert (reply.type, reply.payload, reply.saga) == ("Room", b'{"number":12}', "t1")
