"""Finding sagas, looking at one, and mending it."""

import httpx
import pytest

from amends.audit import Finding
from shop.orders.tables import set_cancel_saga
from tests.shop.ops.conftest import Ops

WHO = {"reason": "the harbour is open again", "actor": "Olga"}
OWN_PAGE = {"sec-fetch-site": "same-origin"}


async def ids(ops: Ops, **query: str | int) -> list[str]:
    answer = await ops.program.get("/ops/sagas", params=query)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()]


async def act(ops: Ops, id: str, way: str, **more: str) -> httpx.Response:
    return await ops.program.post(f"/ops/sagas/{id}/{way}", json=WHO | more)


async def test_sagas_of_all_services_are_found_newest_first(ops: Ops) -> None:
    user = await ops.edges.join()
    done = await ops.harbour.sail()
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    assert await ids(ops) == [stuck.id, done.id, user]
    assert await ids(ops, limit=1) == [stuck.id]
    assert await ids(ops, limit=2, after=stuck.id) == [done.id, user]
    assert await ids(ops, state="stuck") == [stuck.id]
    assert await ids(ops, state="completed") == [done.id, user]
    assert await ids(ops, name="open-wallet") == [user]
    assert await ids(ops, step="sail") == [stuck.id]
    assert await ids(ops, step="load") == []
    assert await ids(ops, older_than_s=3600) == []


async def test_line_says_where_a_saga_stands(ops: Ops) -> None:
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    [line] = (await ops.program.get("/ops/sagas")).json()
    assert line["id"] == stuck.id
    assert (line["name"], line["service"], line["state"], line["steps"]) == ("voyage", "voyages", "stuck", ["sail"])


async def test_order_id_finds_its_saga_and_the_one_that_cancels_it(ops: Ops) -> None:
    order, cancel = await ops.harbour.sail(), await ops.harbour.sail()
    orders = ops.edges.services["orders"].storage
    async with orders.transaction(1.0) as tx:
        await tx.run(
            "insert into orders (id, scope, user_id, email, status, items, total_minor, calendar, slot, pay_with, "
            "created_at, cancel_wanted) values (?, 'shop', 'u', 'e', 'approved', '[]', 1, 'shop', 's', 'card', 1.0, 1)",
            (order.id,),
        )
        await tx.run(set_cancel_saga, (cancel.id, order.id))
    assert await ids(ops, q=order.id) == [cancel.id, order.id]
    assert await ids(ops, q=cancel.id) == [cancel.id]
    assert await ids(ops, q="nothing") == []


@pytest.mark.parametrize(
    "query", [{"state": "dead"}, {"older_than_s": "-1"}, {"older_than_s": "nan"}, {"limit": "0"}], ids=str
)
async def test_wrong_filter_is_refused(ops: Ops, query: dict[str, str]) -> None:
    answer = await ops.program.get("/ops/sagas", params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_saga_under_way_shows_what_is_ahead_and_what_would_be_undone(ops: Ops) -> None:
    instance = await ops.harbour.set_out()
    detail = (await ops.program.get(f"/ops/sagas/{instance.id}")).json()
    assert detail["saga"]["steps"] == ["clear"]
    assert [each["name"] for each in detail["definition"]["steps"]] == ["load", "clear", "sail"]
    assert [each["state"] for each in detail["steps"]] == ["done", "asked", "waiting"]
    assert [(each["step"], each["what"]) for each in detail["history"]] == [
        ("", "started"),
        ("load", "asked"),
        ("load", "done"),
        ("clear", "asked"),
    ]
    assert detail["planned"] == [{"step": "sail", "command": "harbour.Sail"}]
    assert detail["would_undo"] == [
        {"step": "clear", "command": "harbour.Unload"},
        {"step": "load", "command": "harbour.Unload"},
    ]
    assert "Argo" not in str(detail)


async def test_saga_past_its_point_of_no_return_would_undo_nothing(ops: Ops) -> None:
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    detail = (await ops.program.get(f"/ops/sagas/{stuck.id}")).json()
    assert (detail["planned"], detail["would_undo"]) == ([], [])


@pytest.mark.parametrize("way", ["retry", "skip", "resolve"])
async def test_stuck_saga_is_mended_and_who_and_why_stays(ops: Ops, way: str) -> None:
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    ops.harbour.closed = False
    answer = await act(ops, stuck.id, way, step="sail")
    assert answer.status_code == 202, answer.text
    detail = (await ops.program.get(f"/ops/sagas/{stuck.id}")).json()
    [mend] = detail["mends"]
    assert (mend["action"], mend["step"], mend["actor"], mend["reason"]) == (way, "sail", WHO["actor"], WHO["reason"])
    assert detail["saga"]["state"] in ({"running", "completed"} if way == "retry" else {"completed"})


@pytest.mark.parametrize("way", ["retry", "skip", "resolve"])
async def test_what_is_not_stuck_is_not_mended(ops: Ops, way: str) -> None:
    done = await ops.harbour.sail()
    answer = await act(ops, done.id, way)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/cannot-mend")
    assert "completed" in answer.json()["detail"]
    assert answer.json()["saga_id"] == done.id
    assert (await ops.program.get(f"/ops/sagas/{done.id}")).json()["mends"] == []


async def test_unknown_saga_and_unknown_way_are_not_found(ops: Ops) -> None:
    assert (await act(ops, "nothing", "retry")).status_code == 404
    done = await ops.harbour.sail()
    assert (await act(ops, done.id, "cancel")).status_code == 404
    assert (await ops.program.get("/ops/sagas/nothing")).status_code == 404


@pytest.mark.parametrize(
    "body", [{}, {"reason": "r"}, {"actor": "a"}, WHO | {"actor": ""}, WHO | {"force": True}], ids=str
)
async def test_mending_without_who_and_why_is_refused(ops: Ops, body: dict[str, object]) -> None:
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    assert (await ops.program.post(f"/ops/sagas/{stuck.id}/skip", json=body)).status_code == 400
    assert await ids(ops, state="stuck") == [stuck.id]


async def test_broken_invariant_is_a_503_that_names_it(ops: Ops) -> None:
    sound = await ops.program.get("/ops/check")
    assert (sound.status_code, sound.json()["holds"]) == (200, True)
    assert sound.json()["checks"][0]["figures"] == {"postings": 4}
    ops.findings.append(Finding("warehouse: nothing oversold", False, {"oversold": 1}, "apple"))
    broken = await ops.program.get("/ops/check")
    assert (broken.status_code, broken.json()["holds"]) == (503, False)
    assert broken.json()["checks"][1]["detail"] == "apple"


async def test_metrics_count_sagas_and_hops(ops: Ops) -> None:
    await ops.harbour.sail()
    ops.harbour.closed = True
    await ops.harbour.sail()
    lines = (await ops.browser.get("/metrics")).text.splitlines()
    assert 'amends_sagas_started_total{saga="voyage"} 2.0' in lines
    assert 'amends_sagas_ended_total{saga="voyage",state="completed"} 1.0' in lines
    assert 'amends_sagas_in_flight{service="voyages",state="stuck"} 1.0' in lines
    assert 'amends_sagas_in_flight{service="voyages",state="running"} 0.0' in lines
    assert 'amends_hop_size_count{kind="participant",name="harbour"} 4.0' in lines
    assert 'amends_saga_duration_seconds_count{saga="voyage"} 1.0' in lines
    assert any(line.startswith("process_resident_memory_bytes") for line in lines)


async def test_console_lists_shows_and_mends(ops: Ops) -> None:
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    await ops.sign_in()
    listed = await ops.browser.get("/ops/", params={"state": "stuck"})
    assert stuck.id in listed.text
    shown = await ops.browser.get(f"/ops/saga/{stuck.id}")
    assert "This saga needs a person" in shown.text
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    form = WHO | {"action": "resolve", "step": "sail"}
    done = await ops.browser.post(f"/ops/saga/{stuck.id}", data=form, headers=OWN_PAGE)
    assert (done.status_code, done.headers["location"]) == (303, f"/ops/saga/{stuck.id}")
    after = (await ops.browser.get(f"/ops/saga/{stuck.id}")).text
    assert "This saga needs a person" not in after
    assert "Olga" in after
    again = await ops.browser.post(f"/ops/saga/{stuck.id}", data=form, headers=OWN_PAGE)
    assert again.status_code == 409
    assert "not stuck" in again.text


WRONG_FORMS = [
    {"action": "cancel"},
    {"action": "x"},
    {"action": "retry", "actor": ""},
    {"action": "retry", "actor": "O\0"},
]


@pytest.mark.parametrize("form", WRONG_FORMS, ids=repr)
async def test_console_refuses_wrong_forms(ops: Ops, form: dict[str, str]) -> None:
    ops.harbour.closed = True
    stuck = await ops.harbour.sail()
    await ops.sign_in()
    answer = await ops.browser.post(f"/ops/saga/{stuck.id}", data=WHO | form, headers=OWN_PAGE)
    assert answer.status_code == 400
    assert await ids(ops, state="stuck") == [stuck.id]


async def test_console_shows_text_as_text(ops: Ops) -> None:
    await ops.sign_in()
    evil = "<script>alert(1)</script>\"'"
    listed = (await ops.browser.get("/ops/", params={"q": evil})).text
    assert "<script>alert" not in listed
    ops.findings.append(Finding(evil, False, {}, evil))
    assert "<script>alert" not in (await ops.browser.get("/ops/checks")).text


async def test_console_says_in_html_what_is_wrong(ops: Ops) -> None:
    outside = await ops.browser.get("/ops/")
    assert (outside.status_code, outside.headers["content-type"]) == (401, "text/html; charset=utf-8")
    await ops.sign_in()
    unknown = await ops.browser.get("/ops/saga/nothing")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "broken" not in (await ops.browser.get("/ops/checks")).text.lower().replace("an invariant is broken", "")
