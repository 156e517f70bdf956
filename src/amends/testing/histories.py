"""What happened in a simulated world, in order: a digest that says whether two runs were the same, lines, a picture."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate, chain, groupby
from operator import itemgetter
from typing import NamedTuple

from amends.testing.timeline_svg import COLOURS, Flight, Row, Shade, Timeline, draw

Detail = str | Mapping[str, str]

EVERYBODY = "world"
"""What happens to it is drawn across all lanes."""


class Happening(NamedTuple):
    """The `step`th thing that happened, `at` seconds of virtual time: `who` did `what`, on behalf of `saga`.

    Messages are "sent", "delivered", "lost", "copied"; their detail has "message", the id, and "type", "to".
    """

    step: int
    at: float
    who: str
    what: str
    detail: Detail = ""
    saga: str = ""

    def __str__(self) -> str:
        saga = f" [{self.saga[-12:]}]" if self.saga else ""
        return f"{self.at:9.3f}  {self.who:<14} {self.what} {_words(self.detail)}".rstrip() + saga


class Record:
    """Grows only. What is in it is hashed when somebody asks for the digest: most runs need none."""

    def __init__(self) -> None:
        self._happenings: list[Happening] = []
        self._hash = blake2b(digest_size=32)
        self._hashed = 0

    def __len__(self) -> int:
        return len(self._happenings)

    def __iter__(self) -> Iterator[Happening]:
        return iter(self._happenings)

    def add(self, at: float, who: str, what: str, detail: Detail = "", saga: str = "") -> None:
        self._happenings.append(Happening(len(self._happenings), at, who, what, detail, saga))

    def digest(self) -> str:
        """The same for the same history, in every process."""
        for each in self._happenings[self._hashed :]:
            self._hash.update(_canonical(*each[1:]))
        self._hashed = len(self._happenings)
        return self._hash.hexdigest()

    def lines(self) -> list[str]:
        """For people to read."""
        return [str(each) for each in self._happenings]


def _canonical(at: float, who: str, what: str, detail: Detail, saga: str) -> bytes:
    """Each text with its length, so that no two happenings look alike; a mapping's pairs in the order of its keys."""
    parts = (detail,) if isinstance(detail, str) else chain.from_iterable(sorted(detail.items()))
    texts = [f"{len(text)} {text}" for text in (who, what, saga, *parts)]
    return f"{at!r} {len(texts)} {' '.join(texts)}\n".encode("utf-8", "surrogatepass")


def to_svg(record: Record | Sequence[Happening], title: str, most: int = 120) -> str:
    """The record as a timeline. Of more than `most` rows the first and the last are drawn, and the others counted."""
    return draw(_Telling(list(record), most).timeline(title, record.digest() if isinstance(record, Record) else ""))


class _Look(NamedTuple):
    mark: str
    tone: str = ""


_LOOKS = {
    "sent": _Look("message"),
    "copied": _Look("message"),
    "delivered": _Look("end"),
    "lost": _Look("end", "bad"),
    "committed": _Look("quiet", "good"),
    "crashed": _Look("cross", "bad"),
    "restarted": _Look("up", "good"),
    "froze": _Look("stop", "cold"),
    "woke": _Look("up", "cold"),
    "effect": _Look("box", "good"),
    "refused": _Look("box", "amber"),
    "violated": _Look("box", "bad"),
}
_TROUBLE = ("commit ", "failed", "did not", "cut off", "jumped")
_FLIES = ("sent", "copied", "delivered", "lost")
_SHADES = {"crashed": "dead", "did not start": "dead", "froze": "frozen"}
_AWAKE = ("restarted", "woke")


class _Start(NamedTuple):
    row: int
    sent: Happening


class _Telling:
    """Happenings as rows. Those that repeat the one before share its row; those left out share one, the gap."""

    def __init__(self, happenings: Sequence[Happening], most: int) -> None:
        self.happenings = happenings
        self.row_of, self.gap = _rows(happenings, most)
        shown = [each for each, row in zip(happenings, self.row_of, strict=True) if row != self.gap]
        self.lanes = _numbered(each.who for each in shown if each.who != EVERYBODY)
        self.sagas = _numbered(each.saga for each in shown if each.saga)
        self.flights = [flight for flight in self._flights() if flight is not None]
        self.ahead = {each.end: _side(each.to, each.source) for each in self.flights}
        self.ahead |= {each.end: _side(each.source, each.to) for each in self.flights if each.how == "lost"}
        self.ahead |= {each.start: _side(each.source, each.to) for each in self.flights}

    def timeline(self, title: str, digest: str) -> Timeline:
        seconds = self.happenings[-1].at - self.happenings[0].at if self.happenings else 0.0
        about = f"{len(self.happenings)} happenings in {seconds:.3f} s of virtual time"
        about += f", digest {digest[:12]}…" if digest else ""
        sagas = [f"saga …{saga[-12:]}" if len(saga) > 12 else f"saga {saga}" for saga in self.sagas]
        return Timeline(title, about, list(self.lanes), sagas, self._drawn(), self.flights, list(self._shades()))

    def _drawn(self) -> list[Row]:
        rows = []
        for number, group in groupby(zip(self.row_of, self.happenings, strict=True), key=itemgetter(0)):
            together = [each for _, each in group]
            rows.append(_gap(together) if number == self.gap else self._row(number, together[0], len(together)))
        return rows

    def _row(self, number: int, each: Happening, count: int) -> Row:
        mark, tone = _look(each)
        label = _label(each)
        if count > 1:
            mark, label = "dot" if mark == "quiet" else mark, f"{label} ×{count}"
        lane, ahead = self.lanes.get(each.who, -1), self.ahead.get(number, 0)
        return Row(lane, each.at, label, mark, tone, self._colour(each), ahead)

    def _colour(self, each: Happening) -> int:
        return self.sagas[each.saga] % COLOURS if each.saga in self.sagas else -1

    def _flights(self) -> Iterator[Flight | None]:
        """Each message from where it was sent; one that comes again although it was not copied, from there too."""
        waiting: defaultdict[str, deque[_Start]] = defaultdict(deque)
        latest: dict[str, _Start] = {}
        for row, each in zip(self.row_of, self.happenings, strict=True):
            if not (message := _of(each, "message")):
                continue
            starts = waiting[message]
            match each.what:
                case "sent" | "copied":
                    latest[message] = _Start(row, each)
                    starts.append(latest[message])
                case "lost" if starts:
                    yield self._cut(starts.pop(), row, "lost")
                case "delivered" if starts:
                    start = starts.popleft()
                    yield self._flight(start, row, each.who, "copied" if start.sent.what == "copied" else "")
                case "delivered" if message in latest:
                    yield self._flight(latest[message], row, each.who, "again")
        for start in chain.from_iterable(waiting.values()):
            yield self._cut(start, start.row, "kept")

    def _flight(self, start: _Start, row: int, who: str, how: str) -> Flight | None:
        """A receiver of which all is left out is as one that the message has not reached."""
        source, to = self.lanes.get(start.sent.who), self.lanes.get(who)
        if to is None:
            return self._cut(start, start.row, "kept")
        if source is None or row == start.row:
            return None
        return Flight(start.row, row, source, to, self._colour(start.sent), how)

    def _cut(self, start: _Start, row: int, how: str) -> Flight | None:
        """It sets out to its receiver, or to some neighbour when that is not in the picture."""
        source = self.lanes.get(start.sent.who)
        if source is None or self.gap in (row, start.row):
            return None
        neighbour = source + 1 if source + 1 < len(self.lanes) else source - 1
        to = self.lanes.get(_of(start.sent, "to"), neighbour)
        return Flight(start.row, row, source, to, self._colour(start.sent), how)

    def _shades(self) -> Iterator[Shade]:
        since: dict[str, tuple[int, str]] = {}
        for row, each in zip(self.row_of, self.happenings, strict=True):
            if each.who in since and (each.what in _SHADES or each.what in _AWAKE):
                yield from self._shade(each.who, *since.pop(each.who), row)
            if each.what in _SHADES:
                since[each.who] = row, _SHADES[each.what]
        for who, (row, how) in since.items():
            yield from self._shade(who, row, how, self.row_of[-1])

    def _shade(self, who: str, start: int, how: str, end: int) -> Iterator[Shade]:
        if who in self.lanes and not start == end == self.gap:
            yield Shade(self.lanes[who], start, end, how)


def _rows(happenings: Sequence[Happening], most: int) -> tuple[list[int], int]:
    """The row of each happening, and the row of the gap, or -1."""
    starts = [not at or not _repeats(each, happenings[at - 1]) for at, each in enumerate(happenings)]
    rows = [row - 1 for row in accumulate(starts)]
    hidden = max(starts.count(True) - most, 0)
    if not hidden:
        return rows, -1
    gap = (most + 1) // 2
    return [row if row <= gap else max(gap, row - hidden + 1) for row in rows], gap


def _repeats(each: Happening, before: Happening) -> bool:
    return each[2:] == before[2:] and each.what not in _FLIES


def _gap(hidden: Sequence[Happening]) -> Row:
    return Row(-1, hidden[0].at, f"{len(hidden)} happenings left out", "gap")


def _look(each: Happening) -> _Look:
    if each.what == "answered":
        return _Look("box", "good" if "done" in _words(each.detail) else "amber")
    trouble = any(sign in each.what for sign in _TROUBLE)
    return _LOOKS.get(each.what) or (_Look("diamond", "amber") if trouble else _Look("dot"))


def _label(each: Happening) -> str:
    match each.what:
        case "sent" | "delivered":
            return _of(each, "type") or _of(each, "message")
        case "lost" | "copied":
            return each.what
        case "effect":
            return _words(each.detail) or each.what
        case _:
            return f"{each.what} {_words(each.detail)}".rstrip()


def _words(detail: Detail) -> str:
    if isinstance(detail, str):
        return detail
    if "message" in detail:
        return f"{detail.get('type', '')} to {detail.get('to', '')}, message {detail['message'][-12:]}".lstrip()
    return ", ".join(f"{name} {value}" for name, value in detail.items())


def _of(each: Happening, name: str) -> str:
    return "" if isinstance(each.detail, str) else each.detail.get(name, "")


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _side(lane: int, other: int) -> int:
    return 1 if other >= lane else -1
