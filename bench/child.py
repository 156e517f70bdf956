"""Child processes: each run of a measurement is one, stopped by its own id; and temporary folders."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")

ROOT = Path(__file__).parent.parent


def ask(module: str, plan: msgspec.Struct, outcome: type[T], limit_s: float = 300.0) -> T:
    """Runs `python -m module` with the plan on its input; returns what it prints. Raises `CalledProcessError`."""
    command = [sys.executable, "-m", module]
    text = msgspec.json.encode(plan)
    run = subprocess.run(command, input=text, stdout=subprocess.PIPE, timeout=limit_s, cwd=ROOT, check=True)
    return msgspec.json.decode(run.stdout, type=outcome)


@contextlib.contextmanager
def running(command: list[str], log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is stopped at the end: asked first, killed after 10 s."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab")) if log is not None else subprocess.PIPE
        process = subprocess.Popen(command, stdout=output, stderr=output if log is not None else None, cwd=ROOT)
        with process:
            try:
                yield process
            finally:
                stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A temporary folder on a disk: where `TMPDIR` says, else beside the checkout's own temporary files."""
    with tempfile.TemporaryDirectory(prefix="amends-bench-") as path:
        yield Path(path)
