"""Where an order's microseconds go: py-spy samples the real server under a closed loop, the samples are sorted by part.

A sample belongs to the part of its innermost frame that has one. py-spy looks at another process: on Linux that needs
root or `kernel.yama.ptrace_scope=0`.

    python -m bench.where [SECONDS]
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.child import folder
from bench.figures import Scale
from bench.rows import loaded_shop
from bench.server import Shop

PARTS = (
    ("commit, fsync", ("_commit_now (amends/adapters/sqlite/group.py",)),
    ("SQLite statements", ("amends/adapters/sqlite/connection.py",)),
    ("rows and columns", ("amends/adapters/sqlite/", "amends/adapters/saga_rows.py")),
    ("HTTP server", ("uvicorn/", "h11/", "httptools")),
    ("HTTP edge", ("shop/orders/desk.py", "shop/web/", "shop/users/", "litestar/")),
    ("placing", ("shop/orders/placing.py", "shop/orders/views.py", "amends/intake.py")),
    ("rooms", ("shop/billing/", "shop/warehouse/", "shop/delivery/", "shop/notifications/", "shop/orders/")),
    ("console", ("rich/", "shop/board.py")),
    ("machine", ("amends/machine.py", "amends/draft.py", "amends/history.py", "amends/state.py", "amends/saga.py")),
    ("coordinator", ("amends/coordinator.py", "amends/moves.py", "amends/asking.py", "amends/watch.py")),
    ("participants", ("amends/participant", "amends/barrier.py")),
    ("messages", ("amends/outbox.py", "amends/adapters/inprocess.py", "amends/worker.py", "amends/ids.py")),
    ("the rest of the library", ("amends/",)),
)
LOOP = "event loop, and the rest"


def part_of(stack: str) -> str:
    """`stack` is a line of py-spy's raw output, without its count: frames from the outermost to the innermost."""
    for frame in reversed(stack.split(";")):
        for part, marks in PARTS:
            if any(mark in frame for mark in marks):
                return part
    return LOOP


def shares(lines: Iterable[str]) -> dict[str, float]:
    """The share of each part in the samples of the thread that runs the event loop, in percent, the largest first."""
    counts: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        if "asyncio/runners.py" in stack:
            counts[part_of(stack)] += int(count)
    total = counts.total()
    return {part: count / total * 100 for part, count in counts.most_common()}


def sample(shop: Shop, seconds: int, raw: Path) -> "subprocess.Popen[bytes]":
    spy = str(Path(sys.executable).parent / "py-spy")
    command = [spy, "record", "-f", "raw", "-r", "250", "-d", str(seconds), "-o", str(raw), "-p", str(shop.pid)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def main(seconds: int) -> None:
    with folder() as home, loaded_shop(Scale()) as loaded:
        raw = home / "samples"
        spy = sample(loaded.shop, seconds, raw)
        used_s, count = loaded.shop.cpu_s(), 0
        while spy.poll() is None:
            loaded.ended_per_s(10_000)
            count += 10_000
        used_s = loaded.shop.cpu_s() - used_s
        if spy.returncode:
            raise RuntimeError(f"py-spy failed: {(spy.stderr or raw.open('rb')).read().decode()}")
        found = shares(raw.read_text().splitlines())
    table = Table("part", "share %", "µs an order")
    for part, share in found.items():
        table.add_row(part, f"{share:.1f}", f"{share / 100 * used_s / count * 1e6:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
