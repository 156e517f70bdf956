"""Small parts of SVG pictures: words that fit, lines, tips of arrows, crosses."""

from math import hypot
from xml.sax.saxutils import escape

_LETTER = 6.8


def width(words: str) -> float:
    """About how wide words of 12 px are."""
    return len(words) * _LETTER


def fit(words: str, room: float) -> str:
    """The words, cut where the room ends."""
    most = max(1, int(room / _LETTER))
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def printable(words: str) -> str:
    """XML has no place for most control characters, whatever their escape."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def text(style: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(printable(words))}</text>'


def named(words: str) -> str:
    """What the picture is called, for those who don't see it."""
    return f"<title>{escape(printable(words))}</title>"


def line(style: str, x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<path class="{style}" d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"/>'


def cross(style: str, x: float, y: float, half: float) -> str:
    across = f"M{x - half:.1f} {y - half:.1f}l{2 * half} {2 * half}"
    return f'<path class="{style}" d="{across}M{x + half:.1f} {y - half:.1f}l{-2 * half} {2 * half}"/>'


def tip(style: str, x: float, y: float, to_x: float, to_y: float) -> str:
    """The head of an arrow from one point to another, which is the head's end."""
    far = hypot(to_x - x, to_y - y) or 1.0
    along_x, along_y = (to_x - x) / far, (to_y - y) / far
    base_x, base_y = to_x - 9 * along_x, to_y - 9 * along_y
    corners = [(to_x, to_y), (base_x - 4 * along_y, base_y + 4 * along_x), (base_x + 4 * along_y, base_y - 4 * along_x)]
    return f'<polygon class="{style}" points="{" ".join(f"{at_x:.1f},{at_y:.1f}" for at_x, at_y in corners)}"/>'
