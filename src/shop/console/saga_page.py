"""The page of one saga: where it stands, how it came there, what comes next, and the ways out of stuck."""

from datetime import datetime

from shop.console.html import Html, el, join, page, row, table
from shop.console.list_page import badge, link, time
from shop.ops.views import Line, MendView, PlannedStep, SagaDetail, StepNow

WAYS = {
    "retry": "Ask the stuck steps afresh",
    "skip": "Give them up and go on",
    "resolve": "I have done them by hand",
}


def saga_page(detail: SagaDetail, said: str = "") -> Html:
    """`said` is why the last attempt to mend it was refused."""
    saga = detail.saga
    return page(
        saga.name,
        "",
        el("p", said, class_="alert", role="alert") if said else None,
        _facts(detail),
        el("h2", "Steps"),
        _steps(detail),
        _mend_form(detail) if saga.state == "stuck" else None,
        el("h2", "History"),
        _history(detail),
        el("h2", "Ahead") if detail.planned or detail.would_undo else None,
        _ahead("Will be asked", detail.planned),
        _ahead("Would be undone", detail.would_undo),
        el("h2", "Mended by hand") if detail.mends else None,
        _mends(detail.mends),
    )


def _facts(detail: SagaDetail) -> Html:
    saga = detail.saga
    facts: list[tuple[str, str | Html]] = [
        ("State", badge(saga.state)),
        ("Id", link(saga.id)),
        ("Service", saga.service),
        ("Version", el("code", detail.definition.version)),
        ("Started", time(saga.started_at)),
        ("Deadline before the pivot", time(detail.deadline)),
    ]
    if saga.cause:
        facts.insert(1, ("Cause", saga.cause))
    return el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts))


def _steps(detail: SagaDetail) -> Html:
    """A box a group: what is asked together stands together."""
    groups: dict[int, list[Html]] = {}
    for step, now in zip(detail.definition.steps, detail.steps, strict=True):
        groups.setdefault(step.group, []).append(_step(now, step.kind))
    return el("ol", *(el("li", *steps) for steps in groups.values()), class_="groups")


def _step(now: StepNow, kind: str) -> Html:
    tries = f" · {now.attempts} tries" if now.attempts > 1 else ""
    return el("div", el("strong", now.name), badge(now.state), el("small", kind + tries), class_=f"step {now.state}")


def _history(detail: SagaDetail) -> Html:
    begun = _seconds(detail.history[0].at) if detail.history else 0.0
    return el("ol", *(_line(each, begun) for each in detail.history), class_="timeline")


def _line(line: Line, begun: float) -> Html:
    since = el("time", f"+{_seconds(line.at) - begun:.3f} s", datetime=line.at, title=line.at)
    what = el("span", line.step or "saga", " ", el("b", line.what), class_="what")
    detail = el("span", line.detail, class_="detail") if line.detail else None
    return el("li", since, what, detail, class_=line.what.replace(" ", "-"))


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def _ahead(title: str, steps: list[PlannedStep]) -> Html:
    if not steps:
        return join()
    items = [el("li", each.step, " ", el("code", each.command)) for each in steps]
    return el("div", el("h3", title), el("ol", *items))


def _mends(mends: list[MendView]) -> Html:
    if not mends:
        return join()
    return table(["When", "Action", "Step", "Who", "Why", "Result"], [_mend(each) for each in mends])


def _mend(mend: MendView) -> Html:
    return row(
        {
            "When": time(mend.asked_at),
            "Action": mend.action,
            "Step": mend.step or "all stuck",
            "Who": mend.actor,
            "Why": mend.reason,
            "Result": mend.result or "waits",
        }
    )


def _mend_form(detail: SagaDetail) -> Html:
    ways = [
        el("label", el("input", type="radio", name="action", value=way, required=True), f"{way}: {text}")
        for way, text in WAYS.items()
    ]
    stuck = [each.name for each in detail.steps if each.state == "stuck"]
    options = [el("option", "all that are stuck", value=""), *(el("option", each, value=each) for each in stuck)]
    return el(
        "form",
        el("h2", "This saga needs a person"),
        el("fieldset", el("legend", "What to do"), *ways),
        el("label", "Steps", el("select", *options, name="step")),
        el("label", "Who you are", el("input", name="actor", required=True, maxlength="100", autocomplete="name")),
        el("label", "Why", el("input", name="reason", required=True, maxlength="500")),
        el("button", "Do it"),
        class_="mend",
        method="post",
        action=f"/ops/saga/{detail.saga.id}",
    )
