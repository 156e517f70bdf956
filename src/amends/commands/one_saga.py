"""The command `saga`: everything about one saga, as a page in the terminal."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec

from amends.commands.command import OK, Command, Desk, find_saga, no_saga
from amends.commands.looking import Found, found_in, where
from amends.commands.screen import Cell, clean, duration, styled
from amends.commands.timeline import timeline
from amends.pages import Mend
from amends.plan import Ahead, planned, would_undo
from amends.saga import Saga


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the saga's id")


async def _saga(desk: Desk, options: Namespace) -> int:
    async with desk.sagas() as storages:
        found = await find_saga(storages, options.id)
        if found is None:
            raise no_saga(options.id, storages)
        database, instance = found
        async with storages[database].reading() as reader:
            mends = await storages[database].mends.of_saga(reader, instance.id)
    saga = desk.app.definition(instance.name, instance.version)
    one = found_in(desk, database, instance)
    if desk.screen.json:
        desk.screen.data(_data(one, saga, mends, desk.runtime.now()))
    else:
        _show(desk, one, saga, mends)
    return OK


def _data(one: Found, saga: Saga[Any] | None, mends: Sequence[Mend], now: float) -> dict[str, object]:
    instance = one.instance
    steps = [{"name": name} | step for name, step in zip(one.steps, _steps(one, saga), strict=True)]
    return one.data(now) | {
        "started_at": instance.started_at,
        "traceparent": instance.traceparent,
        "input": msgspec.Raw(instance.input),
        "steps": steps,
        "history": [line._asdict() for line in timeline(saga, instance.state, instance.started_at)],
        "planned": [each._asdict() for each in planned(saga, instance)] if saga else None,
        "would_undo": [each._asdict() for each in would_undo(saga, instance)] if saga else None,
        "mends": [each._asdict() for each in mends],
    }


def _steps(one: Found, saga: Saga[Any] | None) -> list[dict[str, object]]:
    return [
        {
            "kind": saga.steps[at].kind if saga else None,
            "state": step.phase,
            "attempts": step.attempts,
            "at": step.at or None,
            "due": step.due,
            "reply": msgspec.Raw(step.reply) if step.reply else None,
        }
        for at, step in enumerate(one.instance.state.steps)
    ]


def _show(desk: Desk, one: Found, saga: Saga[Any] | None, mends: Sequence[Mend]) -> None:
    screen, instance, now = desk.screen, one.instance, desk.runtime.now()
    screen.line(clean(f"{instance.name} {instance.id}  ") + where(one))
    about = f"began {duration(now - instance.started_at)} ago · database {one.database} · definition {instance.version}"
    screen.line(about + (f" · trace {instance.traceparent}" if instance.traceparent else ""))
    screen.line(f"input {instance.input.decode()}\n")
    kinds = [step.kind.value for step in saga.steps] if saga else [""] * len(one.steps)
    rows = [
        (name, kind, styled(step.phase), str(step.attempts or ""))
        for name, kind, step in zip(one.steps, kinds, instance.state.steps, strict=True)
    ]
    screen.table(rows, ("step", "kind", "state", "attempts"), keep=(0, 1, 2, 3))
    screen.line()
    lines = timeline(saga, instance.state, instance.started_at)
    history = [
        (f"+{duration(each.after_s)}", each.lanes, each.step, styled(each.what, f" {each.detail}")) for each in lines
    ]
    screen.table(history, ("after", "", "step", "what"), keep=(0, 1, 2))
    _show_ahead(desk, one, saga)
    if mends:
        done = [
            (
                f"+{duration(each.asked_at - instance.started_at)}",
                each.action,
                each.step or "all stuck steps",
                each.who,
                each.why,
                each.result or "waiting",
            )
            for each in mends
        ]
        screen.line()
        screen.table(done, ("mended", "action", "step", "who", "why", "result"), keep=(0, 1))


def _show_ahead(desk: Desk, one: Found, saga: Saga[Any] | None) -> None:
    if saga is None:
        desk.screen.line("\nThis program lacks the definition that the saga began with: names of steps are not known.")
        return
    ahead: list[Sequence[Cell]] = []
    if steps := planned(saga, one.instance):
        ahead.append(("still to come", _joined(steps)))
    if undone := would_undo(saga, one.instance):
        ahead.append(
            ("still to undo" if one.instance.state.backward else "undone if it turned back now", _joined(undone))
        )
    if ahead:
        desk.screen.line()
        desk.screen.table(ahead, keep=(0,))


def _joined(ahead: Sequence[Ahead]) -> str:
    """`a + b → c`: in that order, those with a plus at the same time."""
    text = ahead[0].step
    for before, each in pairwise(ahead):
        text += f" {'+' if each.group == before.group else '→'} {each.step}"
    return text


COMMANDS = (
    Command("saga", "show one saga: steps, history, what is to come", "amends saga 0198f2a4-…", _saga, _options),
)
