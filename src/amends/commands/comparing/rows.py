"""What was found of one pattern over one transport, and how it is said."""

import msgspec

from amends.commands.comparing.kill import Killed, Left
from amends.commands.comparing.load import Figures

HEAD = (
    *("pattern", "over", "orders/s", "p50 ms", "p99 ms", "held p50 ms", "held p99 ms"),
    *("others see", "killed: left", "an hour later", "started again"),
)
KEEP = tuple(range(7))
LEGEND = (
    "",
    "held: from a participant's yes until that can't be undone any more. Others see what is dirty, as if it was done,",
    "though it may yet be undone; reserved, marked as such; or nothing: prepared in the server alone. Killed: every",
    "process, hard, before anything was decided; an hour later: nobody has started the coordinator again.",
    "",
)
NOTHING, UNKNOWN = "nothing", "–"


class Row(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`left_out` says why there is nothing, and how to have it."""

    pattern: str
    over: str
    figures: Figures | None = None
    killed: Killed | None = None
    left_out: str = ""


def cells(row: Row) -> tuple[str, ...]:
    """As many as `HEAD` has."""
    if row.figures is None or row.killed is None:
        return (row.pattern, row.over, *[UNKNOWN] * 5, "left out: see below", *[UNKNOWN] * 3)
    return (row.pattern, row.over, *numbers(row.figures), *told(row.killed))


def numbers(figures: Figures) -> tuple[str, ...]:
    times = (figures.p50_ms, figures.p99_ms, figures.held_p50_ms, figures.held_p99_ms)
    return (f"{figures.per_s:,.0f}", *(f"{each:,.0f}" if each >= 10 else f"{each:.1f}" for each in times))


def told(killed: Killed) -> tuple[str, str, str, str]:
    """What others see, what is left after the kill, an hour later without a new start, and after one."""
    never = UNKNOWN if killed.never is None else left(killed.never)
    return visible(killed.seen), left(killed.left), never, after(killed)


def visible(seen: Left) -> str:
    """`dirty`: it looks as if it was done, and may yet be undone; `reserved`: it is marked as not done yet."""
    words = [("dirty", seen.good), ("reserved", seen.held)]
    return "; ".join(f"{word}: {', '.join(parts)}" for word, parts in words if parts) or NOTHING


def left(parts: Left) -> str:
    counts = [(sum(parts.held.values()), "reserved"), (sum(parts.good.values()), "dirty"), (parts.prepared, "prepared")]
    return ", ".join(f"{count} {word}" for count, word in counts if count) or NOTHING


def after(killed: Killed) -> str:
    ends = ", ".join(f"{count} {status}" for status, count in sorted(killed.ends.items()))
    return f"{left(killed.open)} ({ends})"


def notes(rows: list[Row]) -> list[str]:
    """Why rows were left out, and which orders did not complete."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.left_out:
            reasons.setdefault(row.left_out, []).append(f"{row.pattern} over {row.over}")
    out = [f"left out: {'; '.join(names)}: {reason}" for reason, names in reasons.items()]
    for row in rows:
        if row.figures is not None and row.figures.completed < row.figures.orders:
            counted = f"{row.figures.completed} of {row.figures.orders} orders completed"
            out.append(f"{row.pattern} over {row.over}: {counted}, the others turned back or got stuck")
    return out
