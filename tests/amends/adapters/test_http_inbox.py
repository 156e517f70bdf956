"""An inbox over HTTP: answered when who reads it has made the message durable."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from amends.adapters.http import inbox_app, wire
from amends.adapters.inprocess import InProcess
from amends.conformance.fixtures import envelope
from amends.conformance.transport_suite import ids, received
from amends.messages import Envelope
from tests.amends.adapters.http_hotel import BATCH
from tests.amends.adapters.http_server import serving

World = tuple[InProcess, httpx.AsyncClient]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    local = InProcess()
    async with serving(inbox_app(local, ["hotel"])) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield local, client


@pytest.fixture
async def hasty() -> AsyncIterator[World]:
    """Does not wait for a reader at all."""
    local = InProcess()
    app = inbox_app(local, ["hotel"], patience_s=0.0)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        yield local, client


async def post(client: httpx.AsyncClient, *messages: Envelope) -> httpx.Response:
    if len(messages) == 1:
        return await client.post("/", headers=wire.headers_of(messages[0]), content=messages[0].payload)
    batch = wire.encode_batch([wire.event_of(each) for each in messages])
    return await client.post("/", headers=BATCH, content=batch)


async def test_message_is_answered_when_it_is_acknowledged(world: World) -> None:
    local, client = world
    posted = asyncio.get_running_loop().create_task(post(client, envelope("m1")))
    reader = local.subscribe("hotel")
    batch = await reader.receive(10)
    assert batch == [envelope("m1")]
    assert not posted.done()
    await reader.acknowledge(batch)
    answer = await posted
    assert (answer.status_code, answer.content) == (204, b"")


async def test_batch_is_answered_when_all_of_it_is_acknowledged(world: World) -> None:
    local, client = world
    posted = asyncio.get_running_loop().create_task(post(client, *[envelope(f"m{number}") for number in range(5)]))
    reader = local.subscribe("hotel")
    assert ids(await received(reader, 4, most=1)) == ["m0", "m1", "m2", "m3"]
    assert not posted.done()
    await received(reader, 1)
    answer = await posted
    assert [each["status"] for each in answer.json()] == ["204"] * 5


async def test_message_that_nobody_takes_in_time_is_asked_for_again_and_held_once(hasty: World) -> None:
    local, client = hasty
    for _ in range(3):
        answer = await post(client, envelope("m1"))
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-taken")
        assert "retry-after" in answer.headers
    reader = local.subscribe("hotel")
    assert ids(await received(reader, 1)) == ["m1"]
    await post(client, envelope("m2"))
    assert ids(await received(reader, 1)) == ["m2"]


async def test_other_addresses_of_the_process_can_not_be_reached(world: World) -> None:
    local, client = world
    answer = await post(client, envelope("m1", to="bank"))
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-address")
    local.send([envelope("m2", to="bank")], lambda _: None)
    assert ids(await received(local.subscribe("bank"), 1)) == ["m2"]


async def test_stranger_spoils_no_other_message_of_its_batch(world: World) -> None:
    local, client = world
    posted = asyncio.get_running_loop().create_task(post(client, envelope("m1"), envelope("m2", to="bank")))
    assert ids(await received(local.subscribe("hotel"), 1)) == ["m1"]
    assert [each["status"] for each in (await posted).json()] == ["204", "404"]


async def test_too_many_waiting_messages_are_turned_away(hasty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    local, client = hasty
    monkeypatch.setattr("amends.adapters.http.inbox.MOST_WAITING", 2)
    await post(client, envelope("m1"), envelope("m2"))
    answer = await post(client, envelope("m3"))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
    assert ids(await received(local.subscribe("hotel"), 2)) == ["m1", "m2"]


async def test_empty_batch_is_answered_with_an_empty_one(world: World) -> None:
    _, client = world
    assert (await client.post("/", headers=BATCH, content=b"[]")).json() == []
