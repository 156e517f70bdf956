"""A saga's history as a picture made of characters: a line an entry, a lane for each step that runs beside others.

+0 ms  ●             started
+0 ms  │ ┌           hold money     asked
+0 ms  │ │ ┌         reserve stock  asked
+3 ms  │ │ ✗         reserve stock  refused  out-of-stock
"""

from typing import Any, NamedTuple

from amends.saga import Saga
from amends.state import Entry, Phase, SagaState

_OPENS: dict[str, str] = {Phase.ASKED: "┌", Phase.UNDOING: "┌"}
_GOES_ON = {"late": "·", "retry": "·", "cancel": "·", "failed": "!"}
_ENDS: dict[str, str] = {
    Phase.DONE: "●",
    Phase.UNDONE: "○",
    Phase.REFUSED: "✗",
    "unknown": "?",
    Phase.STUCK: "▲",
    Phase.SKIPPED: "–",
    Phase.RESOLVED: "●",
}


class Line(NamedTuple):
    """One entry: seconds since the saga's start, its lanes drawn, and what happened to which step ("": the saga)."""

    after_s: float
    lanes: str
    step: str
    what: str
    detail: str


def step_names(saga: Saga[Any] | None, state: SagaState) -> list[str]:
    """The steps' names; numbers when this program has no definition of the saga's version."""
    return [f"step {at + 1}" if saga is None else saga.steps[at].name for at in range(len(state.steps))]


def timeline(saga: Saga[Any] | None, state: SagaState, started_at: float) -> list[Line]:
    """The history, line by line. `started_at` is Unix time in seconds."""
    names = step_names(saga, state)
    lanes = _lanes(saga, state)
    width = 1 + max(lanes, default=-1) + 1
    opened: list[int] = []
    lines = []
    for entry in state.history:
        drawn = _draw(entry, opened, lanes, width)
        _follow(entry, opened, state)
        name = names[entry.step] if entry.step >= 0 else ""
        lines.append(Line(entry.at - started_at, drawn, name, entry.what, entry.detail))
    return lines


def _lanes(saga: Saga[Any] | None, state: SagaState) -> list[int]:
    """A step's lane is its place in its group; without a definition each step has its own."""
    if saga is None:
        return list(range(len(state.steps)))
    return [place for group in saga.groups for place in range(len(group))]


def _draw(entry: Entry, opened: list[int], lanes: list[int], width: int) -> str:
    marks = [" "] * width
    marks[0] = "│" if entry.step >= 0 else "●"
    for step in opened:
        marks[lanes[step] + 1] = "│"
    if entry.step >= 0:
        again = "├" if entry.step in opened else None
        opens = (again or _OPENS[entry.what]) if entry.what in _OPENS else None
        marks[lanes[entry.step] + 1] = opens or _ENDS.get(entry.what) or _GOES_ON.get(entry.what, "·")
    return " ".join(marks)


def _follow(entry: Entry, opened: list[int], state: SagaState) -> None:
    """A step is open from its ask to its answer; `failed` is an answer only when nothing is tried any more."""
    over = entry.what in _ENDS or (entry.what == "failed" and state.steps[entry.step].phase is Phase.FAILED)
    if entry.what in _OPENS and entry.step not in opened:
        opened.append(entry.step)
    elif over and entry.step in opened:
        opened.remove(entry.step)
