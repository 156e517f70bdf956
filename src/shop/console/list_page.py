"""The page of sagas: which there are, in which state, at which step."""

from urllib.parse import urlencode

from amends.state import Status
from shop.console.html import Html, el, join, page, row, table
from shop.ops.desks import Wanted
from shop.ops.views import SagaLine

HEADS = ["Saga", "State", "Definition", "At", "Cause", "Started"]


def list_page(lines: list[SagaLine], wanted: Wanted, q: str, counts: dict[str, int], names: list[str]) -> Html:
    """`counts` says how many sagas are in flight, by state."""
    shown = table(HEADS, [_row(each) for each in lines], class_="sagas") if lines else _nothing()
    return page("Sagas", "Sagas", _states(wanted, counts), _search(wanted, q, names), shown, _more(lines, wanted))


def badge(state: str) -> Html:
    return el("span", state, class_=f"badge {state.replace(' ', '-')}")


def link(id: str) -> Html:
    """A saga's id, as a link to its page."""
    return el("a", el("code", id), href=f"/ops/saga/{id}")


def time(at: str | None) -> Html:
    return el("time", at.replace("T", " ").rstrip("Z"), datetime=at) if at else el("span", "–")


def _row(line: SagaLine) -> Html:
    cells: dict[str, str | Html | None] = {
        "Saga": link(line.id),
        "State": badge(line.state),
        "Definition": line.name,
        "At": ", ".join(line.steps) or "–",
        "Cause": line.cause or "–",
        "Started": time(line.started_at),
    }
    return row(cells, class_=line.state)


def _states(wanted: Wanted, counts: dict[str, int]) -> Html:
    states = ["", *(each.value for each in Status)]
    return el("nav", *(_state(each, wanted, counts) for each in states), class_="tabs", aria_label="States")


def _state(state: str, wanted: Wanted, counts: dict[str, int]) -> Html:
    query = urlencode({"state": state, "name": wanted.name})
    count = el("b", str(counts[state])) if state in counts else None
    if state == wanted.state:
        return el("a", state or "all", count, href=f"/ops/?{query}", class_=state, aria_current="true")
    return el("a", state or "all", count, href=f"/ops/?{query}", class_=state)


def _search(wanted: Wanted, q: str, names: list[str]) -> Html:
    options = [el("option", "any definition", value="")]
    options += [el("option", each, value=each, selected=each == wanted.name) for each in names]
    return el(
        "form",
        el("input", type="hidden", name="state", value=wanted.state),
        el("label", "Definition", el("select", *options, name="name")),
        el("label", "Saga or order", el("input", type="search", name="q", value=q, placeholder="id")),
        el("button", "Find"),
        class_="search",
        method="get",
        action="/ops/",
        role="search",
    )


def _more(lines: list[SagaLine], wanted: Wanted) -> Html:
    if len(lines) < wanted.limit:
        return join()
    query = urlencode({"state": wanted.state, "name": wanted.name, "after": lines[-1].id})
    return el("p", el("a", "Older", href=f"/ops/?{query}"), class_="more")


def _nothing() -> Html:
    return el("p", "Nothing here.", class_="nothing")
