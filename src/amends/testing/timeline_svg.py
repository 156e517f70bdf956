"""A timeline as SVG: a lane for everybody, time runs down a row at a time, messages go from lane to lane.

A colour stands for a saga; what went wrong is red or amber. Light or dark as the reader's system is.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from amends.testing.svg import cross, fit, line, named, text, tip, width

_PAGE, _GUTTER, _EDGE, _TOP = 1200, 76, 24, 152
_HIGH, _QUIET_HIGH, _PAUSE_HIGH, _PAUSE_S = 21, 9, 14, 1.0
_NARROWEST, _WIDEST, _LONGEST = 92, 300, 420
_LIGHT = ("#0969da", "#8250df", "#bf3989", "#1b7c83", "#953800", "#4d6d00")
_DARK = ("#58a6ff", "#bc8cff", "#ff80c8", "#56d4dd", "#ffa657", "#b3d65c")
COLOURS = len(_LIGHT)
_STYLE = """
  .page { fill: #ffffff } .lane { stroke: #d0d7de; stroke-width: 1.5 } .rule { stroke: #d0d7de; stroke-dasharray: 2 4 }
  text { fill: #1f2328; font: 12px system-ui, "Segoe UI", sans-serif } .title { font-size: 20px; font-weight: 600 }
  .who { font-weight: 600 } .small, .time { fill: #57606a } .time { font-size: 11px }
  .label { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round }
  .dim { fill: #57606a } .bad { fill: #cf222e; font-weight: 600 } .amber { fill: #9a6700 }
  .cold { fill: #0969da; font-weight: 600 } .good { fill: #1a7f37 } .none, .f-1 { fill: #8c959f }
  .dead { fill: #cf222e; fill-opacity: .14 } .frozen { fill: #0969da; fill-opacity: .14 }
  .box { fill: #f6f8fa; stroke: #8c959f } .box.good { fill: #dafbe1; stroke: #1a7f37 }
  .box.amber { fill: #fff8c5; stroke: #bf8700 } .box.bad { fill: #ffebe9; stroke: #cf222e }
  .way { fill: none; stroke: #8c959f; stroke-width: 1.6 }
  .copied { stroke-dasharray: 7 3 } .again, .kept { stroke-dasharray: 2 3 }
  .cut { fill: none; stroke: #cf222e; stroke-width: 2.5; stroke-linecap: round }
"""
_STYLE_AT_NIGHT = """
    .page { fill: #0d1117 } .lane, .rule { stroke: #30363d } .label { stroke: #0d1117 }
    text { fill: #f0f6fc } .small, .time, .dim { fill: #9198a1 }
    .bad { fill: #ff7b72 } .amber { fill: #e3b341 } .cold { fill: #58a6ff }
    .good { fill: #3fb950 } .dead { fill: #ff7b72; fill-opacity: .2 } .frozen { fill: #58a6ff; fill-opacity: .2 }
    .box { fill: #161b22; stroke: #6e7681 } .box.good { fill: #12261e; stroke: #3fb950 }
    .box.amber { fill: #272115; stroke: #e3b341 } .box.bad { fill: #2d1315; stroke: #ff7b72 } .cut { stroke: #ff7b72 }
"""

_SHAPES = {
    "dot": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0",
    "message": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
    "quiet": "m-5 -2h10v4h-10z",
    "diamond": "m0 -6l6 6l-6 6l-6 -6z",
    "up": "m-6 5h12l-6 -11z",
    "stop": "m-5 -6h4v12h-4zm6 0h4v12h-4z",
    "cross": "m-7 -5l2 -2l5 5l5 -5l2 2l-5 5l5 5l-2 2l-5 -5l-5 5l-2 -2l5 -5z",
    "end": "",
}


class Row(NamedTuple):
    """What happened next, on `lane`, or to everybody (-1). `mark`: a shape, "box" or "gap". `tone`: a class of style.

    `ahead` is 1 when its message goes to the right, -1 when it goes to the left: the label keeps out of its way.
    """

    lane: int
    at_s: float
    label: str
    mark: str = "dot"
    tone: str = ""
    colour: int = -1
    ahead: int = 0


class Flight(NamedTuple):
    """A message, from row to row and from lane to lane. `how` is "", "copied", "again", "lost" or "kept".

    A lost one is cut off on its way; one that is kept has not arrived by the end.
    """

    start: int
    end: int
    source: int
    to: int
    colour: int
    how: str = ""


class Shade(NamedTuple):
    """From one row to another a lane is `how`: "dead" or "frozen"."""

    lane: int
    start: int
    end: int
    how: str


class Timeline(NamedTuple):
    """All that is drawn. A row with the mark "gap" stands for those that are left out. `sagas` are named in colours."""

    title: str
    about: str
    lanes: Sequence[str]
    sagas: Sequence[str]
    rows: Sequence[Row]
    flights: Sequence[Flight]
    shades: Sequence[Shade]


def draw(timeline: Timeline) -> str:
    return _Drawing(timeline).svg()


class _Drawing:
    """Where everything stands, and its text."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.pitch = min(_WIDEST, max(_NARROWEST, (_PAGE - _GUTTER - _EDGE) / max(1, len(timeline.lanes))))
        self.wide = max(_PAGE, round(_GUTTER + _EDGE + self.pitch * len(timeline.lanes)))
        self.ys = _heights(timeline.rows)
        self.times = _times(timeline.rows)
        self.high = round(self.ys[-1]) + 74 if self.ys else _TOP + 40

    def x(self, lane: int) -> float:
        return _GUTTER + self.pitch * (lane + 0.5)

    def svg(self) -> str:
        timeline, size = self.timeline, f'width="{self.wide}" height="{self.high}"'
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.wide} {self.high}" {size} role="img">',
            f"{named(timeline.title)}<style>{_style()}</style>",
            f'<rect class="page" {size}/>',
            text("title", _EDGE, 38, fit(timeline.title, (self.wide - 2 * _EDGE) * 0.6)),
            text("small", _EDGE, 60, timeline.about),
            *self._legend(),
            *self._lanes(),
            *(self._shade(shade) for shade in timeline.shades),
            *(part for flight in timeline.flights for part in self._flight(flight)),
            *(part for number in range(len(timeline.rows)) for part in self._row(number)),
        ]
        return "\n".join([*parts, "</svg>", ""])

    def _legend(self) -> list[str]:
        """The colours of sagas; and at the right the signs that have no label."""
        x, y, parts = float(_EDGE), 80, []
        names = [*self.timeline.sagas[:COLOURS]]
        more = len(self.timeline.sagas) - len(names)
        for colour, name in enumerate(names):
            parts += [
                f'<circle class="f{colour}" cx="{x + 5:.0f}" cy="{y}" r="5"/>',
                text("small", x + 16, y + 4, name),
            ]
            x += 16 + width(name) + 22
        parts += [text("small", x, y + 4, f"and {more} more")] if more > 0 else []
        left = self.wide - _EDGE - 316
        parts += [_mark(Row(0, 0.0, "", "quiet", "good"), left, 56), text("small", left + 12, 60, "committed")]
        for at, (style, words) in enumerate((("copied", "copied"), ("again", "came again"))):
            x = left + 100 + 100 * at
            parts += [line(f"way {style}", x, 56, x + 30, 56), text("small", x + 38, 60, words)]
        return parts

    def _lanes(self) -> list[str]:
        """Names at both ends; every other one further out when they have no room side by side."""
        names, bottom, parts = self.timeline.lanes, self.high - 52, []
        far = 15 if any(width(name) > self.pitch - 18 for name in names) else 0
        for lane, name in enumerate(names):
            x, out = self.x(lane), far * (lane % 2)
            shown = fit(name, self.pitch * (2 if far else 1) - 24)
            parts.append(f'<path class="lane" d="M{x:.1f} {_TOP - 22 - out}V{bottom + out}"/>')
            parts += [text("who", x, y, shown, "middle") for y in (_TOP - 29 - out, bottom + 17 + out)]
        return parts

    def _shade(self, shade: Shade) -> str:
        top, bottom = self.ys[shade.start], self.ys[shade.end]
        x = self.x(shade.lane) - 9
        high = max(8.0, bottom - top)
        return f'<rect class="{shade.how}" x="{x:.1f}" y="{top:.1f}" width="18" height="{high:.1f}" rx="4"/>'

    def _flight(self, flight: Flight) -> list[str]:
        x, y = self.x(flight.source), self.ys[flight.start]
        to_x, to_y = self.x(flight.to), self.ys[flight.end]
        style = f"way s{flight.colour} {flight.how}"
        if flight.how in ("lost", "kept"):
            to_x = x + (1 if to_x >= x else -1) * min(0.62 * self.pitch, 74)
        if flight.how == "lost":
            return [line(style, x, y, to_x, to_y), cross("cut", to_x, to_y, 5)]
        if flight.how == "kept":
            return [line(style, x, y, to_x, y + 10), text("label dim", to_x, y + 13, "…", "middle")]
        if flight.source == flight.to:
            way = f"M{x + 4:.1f} {y:.1f}C{x + 46:.1f} {y:.1f} {x + 46:.1f} {to_y:.1f} {x + 12:.1f} {to_y:.1f}"
            return [f'<path class="{style}" d="{way}"/>', tip(f"f{flight.colour}", x + 40, to_y, x + 3, to_y)]
        return [line(style, x, y, to_x, to_y), tip(f"f{flight.colour}", x, y, to_x, to_y)]

    def _row(self, number: int) -> list[str]:
        row, y = self.timeline.rows[number], self.ys[number]
        before = self.timeline.rows[number - 1] if number else None
        parts = []
        if before is not None and row.at_s - before.at_s >= _PAUSE_S:
            parts.append(f'<path class="rule" d="M{_EDGE} {y - 17:.1f}H{self.wide - _EDGE}"/>')
        if self.times[number]:
            parts.append(text("time", _GUTTER - 20, y + 4, self.times[number], "end"))
        if row.lane < 0:
            return [*parts, *self._across(row, y)]
        if row.mark == "box":
            return [*parts, *self._box(row, y)]
        return [*parts, _mark(row, self.x(row.lane), y), *([] if row.mark == "quiet" else [self._label(row, y)])]

    def _across(self, row: Row, y: float) -> list[str]:
        """A line through all lanes, its words in the middle."""
        words = fit(row.label, self.wide - 2 * _GUTTER - 40)
        half, middle = width(words) / 2 + 10, (self.wide + _GUTTER) / 2
        ends = f"M{_GUTTER} {y:.1f}H{middle - half:.1f}M{middle + half:.1f} {y:.1f}H{self.wide - _EDGE}"
        return [f'<path class="rule" d="{ends}"/>', text(f"label {row.tone or 'who'}", middle, y + 4, words, "middle")]

    def _box(self, row: Row, y: float) -> list[str]:
        words = fit(row.label, _LONGEST)
        wide = width(words) + 16
        left = min(max(_GUTTER - 10, self.x(row.lane) - wide / 2), self.wide - 8 - wide)
        return [
            f'<rect class="box {row.tone}" x="{left:.1f}" y="{y - 9:.1f}" width="{wide:.1f}" height="18" rx="5"/>',
            text("", left + wide / 2, y + 4, words, "middle"),
        ]

    def _label(self, row: Row, y: float) -> str:
        """Beside the mark, away from the message; on the other side, and higher, when there is no room."""
        x, side = self.x(row.lane), -1 if row.ahead > 0 else 1
        room = {-1: x - _GUTTER, 1: self.wide - 8 - x}
        if room[side] < min(width(row.label), _LONGEST) + 12 and room[-side] > room[side]:
            side = -side
        words = fit(row.label, min(room[side] - 12, _LONGEST))
        raised = 4 if row.ahead == side else 0
        anchor = "start" if side > 0 else "end"
        return text(f"label {row.tone or 'dim'}", x + 11 * side, y + 4 - raised, words, anchor)


def _heights(rows: Sequence[Row]) -> list[float]:
    """The middle of each row: quiet ones are low, and a pause stands before those that come some time later."""
    highs = [_QUIET_HIGH if row.mark == "quiet" else _HIGH for row in rows]
    pauses = [0, *(_PAUSE_HIGH * (row.at_s - before.at_s >= _PAUSE_S) for before, row in pairwise(rows))]
    between = [(high + before) / 2 + pause for high, before, pause in zip(highs, [0, *highs], pauses, strict=False)]
    return list(accumulate(between, initial=_TOP))[1:]


def _times(rows: Sequence[Row]) -> list[str]:
    """Each time once; quiet rows have no room for it."""
    times, shown = [], ""
    for row in rows:
        time = "" if row.mark in ("quiet", "gap") else f"{row.at_s:.3f} s"
        known, shown = shown == time, time or shown
        times.append("" if known else time)
    return times


def _mark(row: Row, x: float, y: float) -> str:
    """The shape of a row on its lane."""
    style = f"f{row.colour}" if row.mark == "message" else row.tone or "none"
    return f'<path class="{style}" d="M{x:.1f} {y:.1f}{_SHAPES[row.mark]}"/>'


def _style() -> str:
    night = f"@media (prefers-color-scheme: dark) {{{_STYLE_AT_NIGHT}{_colours(_DARK)}\n  }}"
    return f"{_STYLE}{_colours(_LIGHT)}\n  {night}\n"


def _colours(colours: Sequence[str]) -> str:
    return "".join(
        f"\n  .s{at} {{ stroke: {colour} }} .f{at} {{ fill: {colour} }}" for at, colour in enumerate(colours)
    )
