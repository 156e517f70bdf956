"""A saga's definition as a picture: lines of text, or SVG."""

import typing
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from amends.messages import Command
from amends.saga import Saga
from amends.steps import Kind, Step

_LINE, _GAP, _EDGE, _TOP, _HIGH, _DOWN = 7.3, 28, 32, 84, 78, 46
_STYLE = """
  .page { fill: #ffffff } .box { fill: #f6f8fa; stroke: #8c959f }
  .way { fill: none; stroke: #57606a; stroke-width: 1.5 } .tip { fill: #57606a }
  .turn { stroke: #bc4c00; stroke-dasharray: 6 4 }
  text { fill: #1f2328; font: 14px system-ui, "Segoe UI", sans-serif } .title { font-size: 20px; font-weight: 600 }
  .name { font-weight: 600 } .small { font-size: 12px; fill: #57606a } .undo { font-size: 12px; fill: #8250df }
  .warn { font-size: 12px; fill: #bc4c00 }
  .compensatable { fill: #8250df } .pivot { fill: #bc4c00 } .retriable { fill: #1a7f37 } .best-effort { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } .box { fill: #161b22; stroke: #6e7681 } .way { stroke: #9198a1 } .tip { fill: #9198a1 }
    text { fill: #f0f6fc } .small { fill: #9198a1 } .undo { fill: #bc8cff } .warn { fill: #ffa657 }
    .turn { stroke: #ffa657 } .compensatable { fill: #bc8cff } .pivot { fill: #ffa657 } .retriable { fill: #3fb950 }
  }
"""


class Drawn(NamedTuple):
    """A line of the text: the rail with the step's name, what it asks, what it is or what undoes it."""

    rail: str
    asks: str
    note: str


def drawing(saga: Saga[Any]) -> list[Drawn]:
    """The definition, top to bottom; the rail is thick from the pivot on."""
    lines = []
    for number, group in enumerate(saga.groups):
        rail = "┃" if number > saga.commit_group else "│"
        lines += [Drawn(rail, "", "")] if number else []
        for place, at in enumerate(group):
            step = saga.steps[at]
            lines.append(Drawn(f"{_mark(rail, place, len(group), step.kind)} {step.name}", *_words(step)))
    return lines


def made_by(builder: Callable[..., Command] | None) -> str:
    """What a builder makes: `warehouse.ReserveStock`, or `hold_money()` when that depends on the input."""
    if builder is None:
        return ""
    made = typing.get_type_hints(builder).get("return")
    if isinstance(made, type) and issubclass(made, Command) and made.participant:
        return f"{made.participant}.{made.__name__}"
    return f"{getattr(builder, '__name__', 'builder')}()"


def svg(saga: Saga[Any]) -> str:
    """The definition as an SVG page, light or dark as the reader's system is."""
    wide = max(len(text) for step in saga.steps for text in (step.name, *_words(step))) * _LINE + 40
    across = max(len(group) for group in saga.groups)
    page = max(2 * _EDGE + across * wide + (across - 1) * _GAP, 480.0)
    rows = [_places(len(group), wide, page) for group in saga.groups]
    parts = [part for number in range(len(rows)) for part in _row(saga, number, rows, wide, page)]
    high = _y(len(rows)) - _DOWN + _EDGE
    about = f"version {saga.version} · input {saga.input.__name__} · deadline {saga.deadline_s:g} s"
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {page:.0f} {high}" width="{page:.0f}" role="img">',
        f"<title>Saga {escape(saga.name)}</title><style>{_STYLE}</style>",
        f'<rect class="page" width="{page:.0f}" height="{high}"/>',
        _text("title", _EDGE, 38, saga.name) + _text("small", _EDGE, 60, about),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _mark(rail: str, place: int, size: int, kind: Kind) -> str:
    if size == 1:
        return "◆" if kind is Kind.PIVOT else "●"
    branch = ("├" if rail == "│" else "┠") if place == 0 else rail
    return f"{branch}{'─┬' if place == 0 else ' └' if place == size - 1 else ' ├'}"


def _words(step: Step[Any]) -> tuple[str, str]:
    """What a step asks, and how it is undone or why it is not."""
    asks = made_by(step.ask) if step.ask else _SILENT[step.kind]
    return asks, f"↩ {made_by(step.undo)}" if step.undo else _NOTES.get(step.kind, "")


_SILENT = {Kind.COMPENSATABLE: "done as the saga starts", Kind.PIVOT: "decided and logged here"}
_NOTES = {
    Kind.PIVOT: "pivot: the point of no return",
    Kind.RETRIABLE: "retriable: until done",
    Kind.BEST_EFFORT: "best effort: may fail",
}


def _places(count: int, wide: float, page: float) -> list[float]:
    """The left edges of the boxes of a row, centred."""
    left = (page - count * wide - (count - 1) * _GAP) / 2
    return [left + at * (wide + _GAP) for at in range(count)]


def _y(row: int) -> int:
    return _TOP + row * (_HIGH + _DOWN)


def _row(saga: Saga[Any], number: int, rows: Sequence[Sequence[float]], wide: float, page: float) -> list[str]:
    parts = _ways(rows[number - 1], rows[number], _y(number), wide) if number else []
    for x, at in zip(rows[number], saga.groups[number], strict=True):
        parts += _box(saga.steps[at], x, _y(number), wide)
        if saga.steps[at].kind is Kind.PIVOT and number + 1 < len(rows):
            y = _y(number) + _HIGH + 16
            parts.append(f'<path class="way turn" d="M{_EDGE} {y}H{page - _EDGE:.0f}"/>')
            parts.append(_text("warn", _EDGE, y - 6, "only forward from here"))
    return parts


def _box(step: Step[Any], x: float, y: int, wide: float) -> list[str]:
    asks, note = _words(step)
    return [
        f'<rect class="box" x="{x:.0f}" y="{y}" width="{wide:.0f}" height="{_HIGH}" rx="6"/>',
        f'<rect class="{step.kind}" x="{x:.0f}" y="{y + 6}" width="4" height="{_HIGH - 12}"/>',
        _text("name", x + 18, y + 25, step.name) + _text("small", x + 18, y + 45, asks),
        _text("undo" if step.undo else "small", x + 18, y + 64, note),
    ]


def _ways(above: Sequence[float], below: Sequence[float], y: int, wide: float) -> list[str]:
    """Lines from every box above to every box below, through one line across."""
    start, across = y - _DOWN, y - _DOWN / 2 + 4
    ends = [x + wide / 2 for x in (*above, *below)]
    path = "".join(f"M{x + wide / 2:.0f} {start}V{across:.0f}" for x in above)
    path += f"M{min(ends):.0f} {across:.0f}H{max(ends):.0f}"
    path += "".join(f"M{x + wide / 2:.0f} {across:.0f}V{y - 6}" for x in below)
    tips = "".join(f"M{x + wide / 2 - 5:.0f} {y - 8}h10l-5 8z" for x in below)
    return [f'<path class="way" d="{path}"/>', f'<path class="tip" d="{tips}"/>']


def _text(style: str, x: float, y: float, text: str) -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'
