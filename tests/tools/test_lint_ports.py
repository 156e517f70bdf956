"""The lint that keeps time, randomness, tasks and hash order behind the ports."""

from pathlib import Path

import pytest

from tools.lint_ports import CHANCE, CLOCK, ORDER, TASKS, find, main

FORBIDDEN = {
    "import time\ntime.monotonic()": ("time.monotonic", CLOCK),
    "import time as t\nt.sleep(1)": ("time.sleep", CLOCK),
    "from time import perf_counter as tick\ntick()": ("time.perf_counter", CLOCK),
    "import datetime\ndatetime.datetime.now()": ("datetime.datetime.now", CLOCK),
    "from datetime import datetime\nclock = datetime.utcnow": ("datetime.datetime.utcnow", CLOCK),
    "from datetime import date as day\nday.today()": ("datetime.date.today", CLOCK),
    "import random\nrandom.Random(1)": ("random.Random", CHANCE),
    "from secrets import token_hex\ntoken_hex()": ("secrets.token_hex", CHANCE),
    "from random import *\nchoice([1])": ("random", CHANCE),
    "import os.path\nos.urandom(8)": ("os.urandom", CHANCE),
    "from uuid import uuid4\nfields = dict(factory=uuid4)": ("uuid.uuid4", CHANCE),
    "import asyncio\nasyncio.create_task(work())": ("asyncio.create_task", TASKS),
    "from asyncio import TaskGroup\nTaskGroup()": ("asyncio.TaskGroup", TASKS),
    "import asyncio\nasyncio.get_running_loop().call_later(1, work)": ("loop.call_later", TASKS),
    "def work(self):\n    return self._loop.time()": ("loop.time", CLOCK),
    "text = 'select 1'\nsql = 'insert into t values (now())'": ("SQL now()", CLOCK),
    "text = 1\nsql = f'{text} default CURRENT_TIMESTAMP'": ("SQL CURRENT_TIMESTAMP", CLOCK),
    "text = 1\nsql = \"select julianday('now')\"": ("SQL julianday('now'", CLOCK),
    "text = 1\nsql = 'select 1 order by random()'": ("SQL random()", CHANCE),
    "items = 1\nfor item in {1, 2}: pass": ("iteration over a set", ORDER),
    "items = []\nsame = [item for item in set(items)]": ("iteration over a set", ORDER),
    "items = []\nsame = ', '.join({item for item in items})": ("iteration over a set", ORDER),
}

ALLOWED = [
    "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)",
    "from uuid import UUID, uuid5\nuuid5(UUID(int=0), 'a')",
    "import asyncio\nasyncio.Queue()",
    "from amends.clock import time\ntime()",
    "from .ids import random\nrandom()",
    "def late(time, now):\n    return time.time < now()",
    "async def work(clock):\n    await clock.sleep(1)",
    "'''now() comes from the clock, never from SQL.'''",
    "sql = 'update saga set known = :now where random_key = 1'",
    "for item in sorted({2, 1}): pass",
    "both = set('a') | {'b'}",
]


@pytest.mark.parametrize(("source", "expected"), FORBIDDEN.items())
def test_use_outside_the_ports_is_found_once_with_its_mend(source: str, expected: tuple[str, str]) -> None:
    assert [(what, mend) for _, what, mend in find(source)] == [expected]


@pytest.mark.parametrize("source", ALLOWED)
def test_harmless_code_passes(source: str) -> None:
    assert find(source) == []


def test_findings_are_printed_with_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "src/shop/orders/api.py", "import random\n\nrandom.random()\n")

    assert main(tmp_path) == 1
    assert capsys.readouterr().out == f"src/shop/orders/api.py:3: random.random: {CHANCE}\n"


def test_exempt_files_may_use_the_real_world(tmp_path: Path) -> None:
    for name in (
        "amends/clock.py",
        "amends/ids.py",
        "amends/adapters/kafka.py",
        "shop/main.py",
        "shop/wiring.py",
    ):
        write(tmp_path / "src" / name, "import time\ntime.sleep(1)\n")

    assert main(tmp_path) == 0


def test_only_the_exempt_file_itself_is_exempt(tmp_path: Path) -> None:
    write(tmp_path / "src/shop/orders/wiring.py", "import time\ntime.sleep(1)\n")

    assert main(tmp_path) == 1


def write(path: Path, source: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
