"""Find time, randomness, task spawning and hash order outside the ports: `python tools/lint_ports.py [ROOT]`.

All of these come in through ports, so that the simulator can replay a run exactly. Prints
`file:line: what: the mend` for each place and exits with 1 when there is any.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TREES = ("src/amends", "src/shop")

EXEMPT = {
    "src/amends/adapters/": "adapters are where the ports meet the world",
    "src/amends/clock.py": "the clock port itself: the time, waiting, tasks",
    "src/amends/ids.py": "the id port itself: ids and randomness",
    "src/amends/conformance/": "suites for adapters: they meet the world as those do",
    "src/amends/testing/": "worlds for tests: time and chance come from a seed",
    "src/shop/main.py": "a composition root: it chooses the real clock and ids",
    "src/shop/serve_command.py": "a command: it waits for the system's signals while a process starts",
    "src/shop/serving.py": "a composition root: it chooses the real clock and ids",
    "src/shop/wiring.py": "a composition root: it chooses the real clock and ids",
}

CLOCK = "take the time from the clock port, or `now` as an argument"
CHANCE = "take ids and randomness from the id port, or as an argument"
TASKS = "wait and spawn tasks through the clock port"
ORDER = "its order depends on hashing: sort it first"

# A name stands for itself and for everything below it.
NAMES = {
    CLOCK: "time datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today",
    CHANCE: "random secrets os.urandom os.getrandom uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.uuid8",
    TASKS: "asyncio.create_task asyncio.ensure_future asyncio.TaskGroup asyncio.gather asyncio.as_completed "
    "asyncio.sleep asyncio.timeout asyncio.timeout_at asyncio.wait asyncio.wait_for asyncio.to_thread "
    "asyncio.run_coroutine_threadsafe anyio concurrent.futures multiprocessing "
    "threading.Thread threading.Timer",
}
MENDS = {name: mend for mend, names in NAMES.items() for name in names.split()}

# Methods of an event loop, known by the name that holds it.
LOOP = re.compile(r"(^|_)loop$|^get_(running|event)_loop$")
LOOP_MENDS = {"time": CLOCK} | dict.fromkeys(
    ("call_at", "call_later", "call_soon", "create_task", "run_in_executor"), TASKS
)

SQL_MENDS = {
    CLOCK: re.compile(
        r"\b(now|unixepoch)\s*\(\s*\)|\b(clock|statement|transaction)_timestamp\s*\(|\bcurrent_(timestamp|date|time)\b"
        r"|\b(date|time|datetime|julianday|unixepoch)\s*\(\s*'now'|\bstrftime\s*\([^)]*'now'",
        re.IGNORECASE,
    ),
    CHANCE: re.compile(r"\brandom\s*\(\s*\)|\b(randomblob|gen_random_uuid|uuidv[47])\s*\(", re.IGNORECASE),
}


class Finding(NamedTuple):
    """One place where a port should have been used."""

    line: int
    what: str
    mend: str


def find(source: str) -> list[Finding]:
    """Return what is wrong in the source of one file, in the order of its lines."""
    tree = ast.parse(source)
    search = Search(imported_names(tree))
    search.visit(tree)
    return sorted(search.found)


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Return what imported names stand for: `from time import sleep as nap` gives `{"nap": "time.sleep"}`."""
    names = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    top = alias.name.partition(".")[0]
                    names[alias.asname or top] = alias.name if alias.asname else top
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                for alias in aliases:
                    names[alias.asname or alias.name] = f"{module}.{alias.name}"
    return names


class Search(ast.NodeVisitor):
    """Walks one file and collects what it finds."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.found: list[Finding] = []

    def add(self, node: ast.expr | ast.stmt, what: str, mend: str) -> None:
        self.found.append(Finding(node.lineno, what, mend))

    def visit_Name(self, node: ast.Name) -> None:
        self.check_name(node, self.names.get(node.id, ""))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if dotted := dotted_name(node, self.names):
            self.check_name(node, dotted)
        else:
            self.generic_visit(node)
        if node.attr in LOOP_MENDS and LOOP.search(last_name(node.value)):
            self.add(node, f"loop.{node.attr}", LOOP_MENDS[node.attr])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.names[0].name == "*" and node.module and not node.level:
            self.check_name(node, node.module)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring may speak of now()
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            for mend, pattern in SQL_MENDS.items():
                if use := pattern.search(node.value):
                    self.add(node, f"SQL {use[0]}", mend)

    def visit_For(self, node: ast.For) -> None:
        self.check_order(node.iter)
        self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self.check_order(node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.check_order(node.iter)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if node.args and last_name(node.func) in ("list", "tuple", "enumerate", "join"):
            self.check_order(node.args[0])
        self.generic_visit(node)

    def check_name(self, node: ast.expr | ast.stmt, dotted: str) -> None:
        for name, mend in MENDS.items():
            if f"{dotted}.".startswith(f"{name}."):
                self.add(node, dotted, mend)

    def check_order(self, node: ast.expr) -> None:
        match node:
            case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
                self.add(node, "iteration over a set", ORDER)


def dotted_name(node: ast.expr, names: dict[str, str]) -> str | None:
    """Return the full name behind `a.b.c` when `a` was imported."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Attribute(value=value, attr=attr) if owner := dotted_name(value, names):
            return f"{owner}.{attr}"
    return None


def last_name(node: ast.expr) -> str:
    """Return `c` for `a.b.c` and for `a.b.c()`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return last_name(func)
    return ""


def files_to_check(root: Path) -> Iterator[Path]:
    """Yield the Python files of the trees that aren't exempt, sorted."""
    for tree in TREES:
        for path in sorted((root / tree).rglob("*.py")):
            if not path.relative_to(root).as_posix().startswith(tuple(EXEMPT)):
                yield path


def main(root: Path) -> int:
    """Print every finding below `root`; return the exit code."""
    lines = [
        f"{path.relative_to(root)}:{line}: {what}: {mend}"
        for path in files_to_check(root)
        for line, what, mend in find(path.read_text(encoding="utf-8"))
    ]
    print("\n".join(lines) or "ports: nothing found")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
