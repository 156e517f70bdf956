"""A participant that is asked over HTTP: statuses, replies, batches, and requests that must change nothing."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from amends.adapters.http import participant_app
from amends.messages import Operation, encode
from amends.pages import BarrierKey
from tests.amends.adapters.http_hotel import (
    BATCH,
    JSON,
    TRACE,
    AskGuest,
    Burn,
    Hotel,
    Renovated,
    event,
    headers,
    open_hotel,
    post,
    post_all,
    together,
)
from tests.amends.trips import BookFlight, BookHotel, CancelHotel

World = tuple[Hotel, httpx.AsyncClient]
LONG = "x" * 70_000


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with open_hotel(tmp_path) as opened:
        yield opened


async def test_command_is_answered_with_its_reply(world: World) -> None:
    hotel, client = world
    answer = await post(client, BookHotel("t1"), attempt="3", epoch="9")
    assert (answer.status_code, answer.json()) == (200, {"number": 7})
    names = ("type", "kind", "outcome", "source", "to", "saga", "step", "attempt", "epoch")
    assert {name: answer.headers.get(f"ce-{name}") for name in names} == {
        "type": "Room",
        "kind": "reply",
        "outcome": None,  # done
        "source": "hotel",
        "to": "trips.coordinator",
        "saga": "t1",
        "step": "hotel",
        "attempt": "3",
        "epoch": "9",
    }
    assert answer.headers["traceparent"] == TRACE
    assert answer.headers["content-type"] == "application/json"
    assert await hotel.effects() == ["BookHotel t1"]


async def test_refusal_is_a_reply(world: World) -> None:
    hotel, client = world
    hotel.full.add("t1")
    answer = await post(client, BookHotel("t1"))
    assert (answer.status_code, answer.headers["ce-type"], answer.headers["ce-outcome"]) == (200, "Full", "refused")


async def test_reply_waits_in_no_outbox(world: World) -> None:
    """It is durable in the barrier: who does not get it asks again."""
    hotel, client = world
    await post(client, BookHotel("t1"))
    async with hotel.storage.reading() as reader:
        assert await reader.fetch("select count(*) from outbox") == [(0,)]


async def test_command_asked_again_gets_its_stored_reply(world: World) -> None:
    hotel, client = world
    first = await post(client, BookHotel("t1"))
    hotel.full.add("t1")
    again = await post(client, BookHotel("t1"), id="another", attempt="2")
    assert (again.status_code, again.content, again.headers["ce-attempt"]) == (200, first.content, "2")
    assert await hotel.effects() == ["BookHotel t1"]


async def test_command_asked_twice_at_the_same_time_is_done_once(world: World) -> None:
    hotel, client = world
    answers = await together(client, *[BookHotel("t1")] * 10)
    assert {(each.status_code, each.content) for each in answers} == {(200, b'{"number":7}')}
    assert await hotel.effects() == ["BookHotel t1"]


async def test_compensation_before_its_action_buries_it(world: World) -> None:
    hotel, client = world
    undone = await post(client, CancelHotel("t1"), operation="compensation")
    late = await post(client, BookHotel("t1"))
    assert (undone.headers["ce-type"], late.headers["ce-type"]) == ("Done", "AlreadyCompensated")
    assert late.headers["ce-outcome"] == "refused"
    assert await hotel.effects() == []


async def test_concurrent_requests_are_carried_out_in_few_batches(world: World) -> None:
    hotel, client = world
    answers = await together(client, *[BookHotel(f"t{number}") for number in range(50)])
    assert {each.status_code for each in answers} == {200}
    hops = hotel.ear.all("participant.hop")
    assert sum(int(str(hop["messages"])) for hop in hops) == 50
    assert len(hops) < 25


async def test_batch_is_answered_in_its_order_whatever_came_of_each(world: World) -> None:
    hotel, client = world
    await post(client, BookHotel("t0"), epoch="8")
    answer = await post_all(
        client,
        event(BookHotel("t1"), epoch="8"),
        event(BookHotel("t2"), type="hotel.BookCastle", epoch="8"),
        event(BookHotel("t3"), epoch="7"),
        event(BookHotel("t4"), epoch="8", shard="1"),
        event(AskGuest("t5"), epoch="8"),
        event(Renovated("t6")),
        event(Burn("t7"), epoch="8"),
        event(BookHotel("t8"), epoch="8") | {"data": {"trip": 8}},
    )
    assert (answer.status_code, answer.headers["content-type"]) == (200, BATCH["content-type"])
    said = answer.json()
    assert [(each["type"], each.get("status", "200")) for each in said] == [
        ("Room", "200"),
        ("problem", "404"),
        ("problem", "409"),
        ("Room", "200"),
        ("later", "202"),
        ("taken", "204"),
        ("problem", "500"),
        ("problem", "400"),
    ]
    assert {each["specversion"] for each in said} == {"1.0"}
    assert said[0]["data"] == {"number": 7}
    assert said[0]["traceparent"] == TRACE
    assert said[1]["data"]["type"] == "/problems/unknown-message"
    assert await hotel.effects() == ["BookHotel t0", "BookHotel t1", "BookHotel t4", "AskGuest t5", "Renovated t6"]


async def test_batch_may_hold_numbers_and_booleans(world: World) -> None:
    _, client = world
    typed: dict[str, Any] = {"attempt": 2, "epoch": 7, "again": False, "begun": True}
    answer = await post_all(client, event(BookHotel("t1")) | typed)
    assert answer.json()[0]["data"] == {"number": 7}


async def test_replaced_epoch_is_a_conflict(world: World) -> None:
    hotel, client = world
    await post(client, BookHotel("t1"), epoch="8")
    answer = await post(client, BookHotel("t2"), epoch="7")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/replaced-epoch")
    assert (await post(client, BookHotel("t3"), epoch="7", shard="1")).status_code == 200
    assert await hotel.effects() == ["BookHotel t1", "BookHotel t3"]


async def test_reply_that_comes_later_is_given_when_it_is_asked_for_again(world: World) -> None:
    hotel, client = world
    assert (await post(client, AskGuest("t1"))).status_code == 202
    assert (await post(client, AskGuest("t1"), attempt="2")).status_code == 202
    await hotel.answer(hotel.asked[0])
    answer = await post(client, AskGuest("t1"), attempt="3")
    assert (answer.status_code, answer.json(), answer.headers["ce-attempt"]) == (200, {"number": 12}, "3")
    assert await hotel.effects() == ["AskGuest t1"]


async def test_event_is_heard_once(world: World) -> None:
    hotel, client = world
    answers = [await post(client, Renovated("t1")) for _ in range(2)]
    assert [(each.status_code, each.content) for each in answers] == [(204, b"")] * 2
    assert await hotel.effects() == ["Renovated t1"]


async def test_failure_of_a_handler_is_told_and_leaves_nothing(world: World) -> None:
    hotel, client = world
    answer = await post(client, Burn("t1"))
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/handler-failed")
    assert "on fire" not in answer.text
    what = {"message": "t1 Burn", "type": "hotel.Burn", "saga": "t1", "address": "hotel"}
    assert hotel.ear.all("message.failed") == [
        what | {"error": "RuntimeError: the hotel is on fire", "traceparent": TRACE}
    ]
    assert await hotel.unchanged()


async def test_failure_of_a_handler_spoils_no_other_command(world: World) -> None:
    hotel, client = world
    answers = await together(client, BookHotel("t1"), Burn("t2"), BookHotel("t3"), Burn("t4"), BookHotel("t5"))
    assert [each.status_code for each in answers] == [200, 500, 200, 500, 200]
    assert sorted(await hotel.effects()) == ["BookHotel t1", "BookHotel t3", "BookHotel t5"]


async def test_service_that_has_stopped_asks_to_come_back(world: World) -> None:
    hotel, client = world
    await post(client, BookHotel("t1"))
    await hotel.service.stop()
    answer = await post(client, BookHotel("t2"))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
    assert int(answer.headers["retry-after"]) >= 1


async def test_too_many_waiting_messages_are_turned_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    hotel, client = world
    monkeypatch.setattr("amends.adapters.http.participants.MOST_WAITING", 3)
    answer = await post_all(client, *[event(BookHotel(f"t{number}")) for number in range(4)])
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/overloaded")
    assert "retry-after" in answer.headers
    assert await hotel.unchanged()


BOOK = BookHotel("t1")
GOOD = headers(BOOK)
BODY = encode(BOOK)
DEEP = b"[" * 20_000 + b"]" * 20_000

# What is sent: method, path, headers, body; what is answered: status, problem.
HOSTILE: dict[str, tuple[str, str, dict[str, Any], bytes, int, str]] = {
    "no attributes at all": ("POST", "/", JSON, b"{}", 400, "malformed"),
    "no id": ("POST", "/", GOOD | {"ce-id": ""}, BODY, 400, "malformed"),
    "no kind": ("POST", "/", GOOD | {"ce-kind": ""}, BODY, 400, "malformed"),
    "unknown kind": ("POST", "/", GOOD | {"ce-kind": "order"}, BODY, 400, "malformed"),
    "no saga": ("POST", "/", GOOD | {"ce-saga": ""}, BODY, 400, "malformed"),
    "no step": ("POST", "/", GOOD | {"ce-step": ""}, BODY, 400, "malformed"),
    "other version": ("POST", "/", GOOD | {"ce-specversion": "0.3"}, BODY, 400, "malformed"),
    "unknown operation": ("POST", "/", GOOD | {"ce-operation": "destroy"}, BODY, 400, "malformed"),
    "attempt is no number": ("POST", "/", GOOD | {"ce-attempt": "many"}, BODY, 400, "malformed"),
    "epoch beyond any number": ("POST", "/", GOOD | {"ce-epoch": "9" * 30}, BODY, 400, "malformed"),
    "epoch of thousands of digits": ("POST", "/", GOOD | {"ce-epoch": "9" * 5_000}, BODY, 400, "malformed"),
    "no time": ("POST", "/", GOOD | {"ce-time": "yesterday"}, BODY, 400, "malformed"),
    "time of no calendar": ("POST", "/", GOOD | {"ce-time": "2033-02-30T00:00:00Z"}, BODY, 400, "malformed"),
    "time before all time": (
        "POST",
        "/",
        GOOD | {"ce-time": "0001-01-01T00:00:00+23:59"},
        encode(BOOK),
        400,
        "malformed",
    ),
    "deadline is no time": ("POST", "/", GOOD | {"ce-deadline": "nan"}, BODY, 400, "malformed"),
    "line break in an id": ("POST", "/", GOOD | {"ce-id": "a%0d%0ax: y"}, BODY, 400, "malformed"),
    "null character in a saga": ("POST", "/", GOOD | {"ce-saga": "%00"}, BODY, 400, "malformed"),
    "no UTF-8 in a header": ("POST", "/", GOOD | {"ce-saga": "%ff"}, BODY, 400, "malformed"),
    "bytes beyond ASCII in a header": ("POST", "/", GOOD | {"ce-saga": b"\xff\xfe"}, BODY, 400, "malformed"),
    "payload is no JSON": ("POST", "/", GOOD, b"<trip/>", 400, "malformed"),
    "payload is empty": ("POST", "/", GOOD, b"", 400, "malformed"),
    "payload is no UTF-8": ("POST", "/", GOOD, b'{"trip":"\xff"}', 400, "malformed"),
    "payload is deep": ("POST", "/", GOOD, DEEP, 400, "malformed"),
    "payload lacks a field": ("POST", "/", GOOD, b"{}", 400, "malformed"),
    "payload has a field too many": ("POST", "/", GOOD, b'{"trip":"t1","free":true}', 400, "malformed"),
    "unknown command": ("POST", "/", GOOD | {"ce-type": "hotel.BookCastle"}, BODY, 404, "unknown-message"),
    "another participant's": ("POST", "/", headers(BookFlight("t1")), BODY, 404, "unknown-message"),
    "a reply": ("POST", "/", GOOD | {"ce-kind": "reply", "ce-type": "Room"}, b"{}", 404, "unknown-message"),
    "another path": ("POST", "/orders", GOOD, BODY, 404, "not-found"),
    "a look": ("GET", "/", GOOD, b"", 405, "method-not-allowed"),
    "a deletion": ("DELETE", "/", GOOD, b"", 405, "method-not-allowed"),
    "payload too large": ("POST", "/", GOOD, encode(BookHotel(LONG)), 413, "too-large"),
    "a form": (
        "POST",
        "/",
        GOOD | {"content-type": "multipart/form-data"},
        encode(BOOK),
        415,
        "unsupported-media-type",
    ),
    "batch is no JSON": ("POST", "/", BATCH, b"[", 400, "malformed"),
    "batch is no list": ("POST", "/", BATCH, b"{}", 400, "malformed"),
    "batch of no events": ("POST", "/", BATCH, b"[1]", 400, "malformed"),
    "batch with an empty event": ("POST", "/", BATCH, b"[{}]", 400, "malformed"),
    "batch is deep": ("POST", "/", BATCH, DEEP, 400, "malformed"),
    "batch with an attribute of a wrong type": (
        "POST",
        "/",
        BATCH,
        msgspec.json.encode([event(BOOK), event(BOOK) | {"saga": ["t1"]}]),
        400,
        "malformed",
    ),
    "batch with a control character": (
        "POST",
        "/",
        BATCH,
        msgspec.json.encode([event(BOOK), event(BOOK, step="a\n")]),
        400,
        "malformed",
    ),
    "batch of too many": ("POST", "/", BATCH, msgspec.json.encode([event(BOOK)] * 1_001), 413, "too-large"),
    "batch with a large event": (
        "POST",
        "/",
        BATCH,
        msgspec.json.encode([event(BOOK), event(BookHotel(LONG))]),
        413,
        "too-large",
    ),
    "batch too large": ("POST", "/", BATCH, b"[" + b" " * 4_194_304 + b"]", 413, "too-large"),
}


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_request_is_refused_and_changes_nothing(world: World, what: str) -> None:
    hotel, client = world
    method, path, sent, body, status, problem = HOSTILE[what]
    answer = await client.request(method, path, headers=sent, content=body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": f"/problems/{problem}",
        "title": problem.replace("-", " ").capitalize(),
        "status": status,
        "detail": answer.json()["detail"],
    }
    assert answer.status_code == status
    assert await hotel.unchanged()
    assert (await post(client, BookHotel("t9"))).status_code == 200


async def test_empty_batch_is_answered_with_an_empty_one(world: World) -> None:
    _, client = world
    answer = await client.post("/", headers=BATCH, content=b"[]")
    assert (answer.status_code, answer.json()) == (200, [])


async def test_names_of_any_script_come_back_as_they_were(world: World) -> None:
    hotel, client = world
    trip = 'Zoë "100 %" ⛵'
    encoded = "Zo%C3%AB%20%22100%20%25%22%20%E2%9B%B5"
    answer = await post(client, BookHotel(trip), id="m1", saga=encoded, subject=encoded)
    assert answer.headers["ce-saga"] == encoded
    async with hotel.storage.transaction(0.0) as tx:
        known = await hotel.storage.inbox.known(tx, [trip])
    assert list(known) == [BarrierKey(trip, "hotel", Operation.ACTION)]


async def test_request_that_breaks_off_is_forgotten(world: World) -> None:
    hotel, client = world

    async def half() -> AsyncIterator[bytes]:
        yield b'{"trip":'
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await client.post("/", headers=headers(BOOK), content=half())
    assert (await post(client, BookHotel("t9"))).status_code == 200
    assert await hotel.effects() == ["BookHotel t9"]


async def test_websocket_is_closed(world: World) -> None:
    hotel, _ = world
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await hotel.app({"type": "websocket", "path": "/"}, receive, send)
    assert sent == [{"type": "websocket.close"}]


def test_service_without_a_participant_can_not_be_mounted(tmp_path: Path) -> None:
    hotel = Hotel(tmp_path)
    hotel.service.hop = None
    with pytest.raises(AssertionError, match="service hotel has no participant"):
        participant_app(hotel.service)
