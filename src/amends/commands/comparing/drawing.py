"""A comparison as a picture: bars for speed and for how long rows are held, words for what others see and what is left.

A pattern has a colour; transports stand one below the other.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from amends.commands.comparing.rows import Row, numbers, told

_EDGE, _TOP, _HIGH, _PAGE, _LONGEST = 32, 104, 92, 980, 330
_NAME, _SPEED, _HELD = 32, 210, 600
_COLOURS = ("one", "two", "three", "four")
_STYLE = """
  .page { fill: #ffffff } text { fill: #1f2328; font: 14px system-ui, "Segoe UI", sans-serif }
  .title { font-size: 20px; font-weight: 600 } .name { font-weight: 600 } .small { font-size: 12px; fill: #57606a }
  .line { stroke: #d0d7de }
  .one { fill: #8250df } .two { fill: #1a7f37 } .three { fill: #bc4c00 } .four { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .small { fill: #9198a1 } .line { stroke: #30363d }
    .one { fill: #bc8cff } .two { fill: #3fb950 } .three { fill: #ffa657 } .four { fill: #58a6ff }
  }
"""


def svg(name: str, rows: Sequence[Row]) -> str:
    """An SVG page, light or dark as the reader's system is."""
    high = _TOP + _HIGH * len(rows) + 16
    fastest = max([row.figures.per_s for row in rows if row.figures] or [1.0]) or 1.0
    longest = max([row.figures.held_p50_ms for row in rows if row.figures] or [1.0]) or 1.0
    patterns = list(dict.fromkeys(row.pattern for row in rows))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_PAGE} {high}" width="{_PAGE}" role="img">',
        f"<title>{escape(name)} by several patterns</title><style>{_STYLE}</style>",
        f'<rect class="page" width="{_PAGE}" height="{high}"/>',
        _text("title", _EDGE, 38, f"{name}: the same order by several patterns"),
        _text("small", _SPEED, 78, "orders a second"),
        _text("small", _HELD, 78, "rows are held, ms (median)"),
    ]
    drawn = []
    for nth, row in enumerate(rows):
        colour = _COLOURS[patterns.index(row.pattern) % len(_COLOURS)]
        drawn += _row(row, _TOP + nth * _HIGH, colour, fastest, longest)
    return "\n".join([*head, *drawn, "</svg>", ""])


def _row(row: Row, y: int, colour: str, fastest: float, longest: float) -> list[str]:
    parts = [
        f'<path class="line" d="M{_EDGE} {y - 12}H{_PAGE - _EDGE}"/>',
        _text("name", _NAME, y + 16, row.pattern) + _text("small", _NAME, y + 34, f"over {row.over}"),
    ]
    if row.figures is None or row.killed is None:
        return [*parts, _text("small", _SPEED, y + 16, f"left out: {row.left_out}")]
    per_s, _, _, held, _ = numbers(row.figures)
    seen, left, _, after = told(row.killed)
    return [
        *parts,
        _bar(colour, _SPEED, y, row.figures.per_s / fastest) + _text("small", _SPEED, y + 34, per_s),
        _bar(colour, _HELD, y, row.figures.held_p50_ms / longest) + _text("small", _HELD, y + 34, held),
        _text("small", _SPEED, y + 52, f"others see — {seen}"),
        _text("small", _SPEED, y + 68, f"killed between the phases: {left}; started again: {after}"),
    ]


def _bar(colour: str, x: int, y: int, share: float) -> str:
    return f'<rect class="{colour}" x="{x}" y="{y}" width="{max(2.0, share * _LONGEST):.0f}" height="18" rx="3"/>'


def _text(style: str, x: int, y: int, text: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{escape(text)}</text>'
