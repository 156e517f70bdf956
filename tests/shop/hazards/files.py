"""Scenarios of the database files: two SQLite libraries in one process lose each other's locks on a file."""

import asyncio
import os
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "src"
SECOND_LIBRARIES = ("_sqlite3", "pysqlite3", "pysqlcipher3", "sqlcipher3", "libsql")
LOAD_ALL = f"""
import importlib, pkgutil, sys
for package in ("amends", "shop"):
    for each in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not each.name.endswith(".__main__"):
            importlib.import_module(each.name)
print(*[name for name in {SECOND_LIBRARIES} if name in sys.modules])
"""


def sources(folder: Path) -> Path:
    """Where amends and shop are; `folder` is the test's own."""
    return SOURCES


async def one_sqlite_library_is_loaded(folder: Path) -> None:
    """Every module of ours, with all that it loads, in a fresh interpreter."""
    where = os.environ | {"PYTHONPATH": str(sources(folder))}
    command = (sys.executable, "-W", "ignore", "-c", LOAD_ALL)
    loading = await asyncio.create_subprocess_exec(*command, env=where, stdout=asyncio.subprocess.PIPE)
    out, _ = await loading.communicate()
    assert loading.returncode == 0, "a module can't be loaded"
    assert not out.split(), f"a second SQLite library is loaded: {out.decode()}"


SCENARIOS = [one_sqlite_library_is_loaded]
