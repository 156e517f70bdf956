"""Newman, Postman's runner for the command line: installed from its lock, and run on one collection."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
COLLECTIONS = HERE.parents[1] / "postman"
INSTALLED = HERE.parents[1] / ".newman"
FILES = ("package.json", "package-lock.json", ".npmrc")
RUN_S = 300.0


class Outcome(NamedTuple):
    """What came of a run; `failed` says where and why."""

    requests: int
    assertions: int
    failed: list[str]
    duration_s: float


class NewmanFailed(Exception):
    """Newman can't be installed, or did not come to an end: the message says what it said."""


def missing() -> str:
    """What this machine lacks, or nothing."""
    lacking = [program for program in ("node", "npm") if shutil.which(program) is None]
    return f"{' and '.join(lacking)} missing: install nodejs and npm" if lacking else ""


async def install(folder: Path = INSTALLED) -> None:
    """Does nothing where the same lock is installed. Another one that installs at the same time does no harm."""
    if all(_same(HERE / name, folder / name) for name in FILES):
        return
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".newman-") as made:
        for name in FILES:
            shutil.copy(HERE / name, made)
        await _npm_ci(made)
        _put(Path(made), folder)


async def run(collection: str, variables: Mapping[str, str], folder: Path = INSTALLED) -> Outcome:
    """Runs one collection. Raises `NewmanFailed`."""
    with tempfile.TemporaryDirectory() as made:
        report = Path(made, "report.json")
        given = [word for name, value in variables.items() for word in ("--env-var", f"{name}={value}")]
        command = [str(folder / "node_modules" / ".bin" / "newman"), "run", str(COLLECTIONS / f"{collection}.json")]
        command += [*given, "--reporters", "json", "--reporter-json-export", str(report)]
        _, said = await _finish(command, COLLECTIONS, {"NO_PROXY": "*"})
        return outcome_of(_read(report, said))


def outcome_of(report: dict[str, Any]) -> Outcome:
    """Of newman's report."""
    run = report["run"]
    stats, timings = run["stats"], run["timings"]
    failed = [_where(each) for each in run["failures"]]
    spent_s = (timings["completed"] - timings["started"]) / 1000
    return Outcome(stats["requests"]["total"], stats["assertions"]["total"], failed, spent_s)


def _read(report: Path, said: str) -> dict[str, Any]:
    if not report.exists():
        raise NewmanFailed(f"newman wrote no report: {said[-2000:]}")
    read: dict[str, Any] = json.loads(report.read_bytes())
    return read


def _where(failure: Mapping[str, Mapping[str, str]]) -> str:
    error, source = failure["error"], failure.get("source") or {}
    return f"{source.get('name', '')}: {error.get('test') or error.get('name')}: {error.get('message')}"


async def _npm_ci(folder: str) -> None:
    code, said = await _finish(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder, {"NO_UPDATE_NOTIFIER": "1"}
    )
    if code:
        raise NewmanFailed(f"npm can't install newman: {said[-2000:]}")


async def _finish(command: list[str], folder: str | Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """The exit code, and all that it said. Whatever happens, it has ended."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_S):
            said, _ = await process.communicate()
    except TimeoutError as late:
        raise NewmanFailed(f"{command[0]} did not end within {RUN_S:g} s") from late
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode(errors="replace")


def _put(made: Path, folder: Path) -> None:
    """In one move; `made` stays as a folder that can be removed."""
    fresh, old = made / "fresh", made / "old"
    fresh.mkdir()
    for each in [*(made / name for name in FILES), made / "node_modules"]:
        each.rename(fresh / each.name)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()
