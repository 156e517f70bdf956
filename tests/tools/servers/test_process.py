"""A server as a child process, without a server: what a shell can show."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tools.servers.guard import guarded, is_root, unprivileged
from tools.servers.process import Process, ServerFailed, completed, is_alive, running


async def never() -> bool:
    return False


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def started(folder: Path, script: str) -> Process:
    """A process whose script has said `ready`."""
    process = Process("shell", folder / "log")
    process.spawn(guarded(shell(script)))

    async def is_ready() -> bool:
        return "ready" in process.output()

    await process.until(is_ready, 10)
    return process


async def test_server_that_ends_too_early_says_why(tmp_path: Path) -> None:
    process = Process("shell", tmp_path / "log")
    process.spawn(shell("echo no space left; exit 1"))

    with pytest.raises(ServerFailed, match=r"(?s)shell ended before it was ready.*no space left"):
        await process.until(never, 10)


async def test_server_that_takes_too_long_says_what_it_did(tmp_path: Path) -> None:
    process = await started(tmp_path, "echo ready and waiting; exec sleep 60")

    with pytest.raises(ServerFailed, match=r"(?s)shell was not talking within 0.05 s.*ready and waiting"):
        await process.until(never, 0.05, "talking")
    await process.kill()


async def test_output_is_that_of_the_last_start(tmp_path: Path) -> None:
    process = await started(tmp_path, "echo ready once; exec sleep 60")
    await process.kill()
    process.spawn(shell("exec sleep 60"))

    assert process.output() == ""
    assert (tmp_path / "log").read_text() == "ready once\n"
    await process.kill()


async def test_running_server_is_not_started_twice(tmp_path: Path) -> None:
    process = await started(tmp_path, "echo ready; exec sleep 60")

    with pytest.raises(RuntimeError, match=f"shell runs already, as process {process.pid}"):
        process.spawn(shell("true"))
    await process.kill()


async def test_kill_ends_what_the_server_started(tmp_path: Path) -> None:
    process = await started(tmp_path, "sleep 60 & echo $! ready; wait")
    child = int(process.output().split()[0])

    await process.kill()

    assert process.pid is None
    assert not is_alive(child)


async def test_stop_kills_a_server_that_does_not_listen(tmp_path: Path) -> None:
    process = await started(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done")

    await process.stop(signal.SIGTERM, patience_s=0.2)

    assert process.pid is None


async def test_stop_and_kill_of_what_does_not_run_do_nothing(tmp_path: Path) -> None:
    process = Process("shell", tmp_path / "log")

    await process.stop(signal.SIGTERM, 1)
    await process.kill()

    assert process.pid is None


async def test_command_that_fails_shows_what_it_printed() -> None:
    with pytest.raises(ServerFailed, match=r"(?s)ended with 3:.*out\nand err"):
        await completed(shell("echo out; echo and err >&2; exit 3"))


class Failing:
    """A server that can't start."""

    async def start(self) -> None:
        raise ServerFailed("no space left")

    async def stop(self) -> None:
        pass


class Starting:
    """A server that takes its time; it notes what became of it."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    async def start(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.noted.append("gave up")

    async def stop(self) -> None:
        self.noted.append("stopped")


async def test_when_one_server_fails_the_others_give_up_and_stop() -> None:
    starting = Starting()

    with pytest.raises(ServerFailed, match="no space left"):
        async with running(starting, Failing()):
            pass

    assert starting.noted == ["gave up", "stopped"]


@pytest.mark.skipif(not is_root(), reason="only root becomes somebody else")
def test_unprivileged_command_is_not_root_but_still_gets_at_roots_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch(mode=0o600)
    look = "import os, sys; print(os.geteuid() == 0, os.access(sys.argv[1], os.R_OK), open(sys.argv[1]).read() == '')"
    command = unprivileged([sys.executable, "-c", look, str(tmp_path / "file")])

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False True True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_server_ends_with_its_parent() -> None:
    parent = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    command = [sys.executable, "-c", parent, *guarded(shell("echo ready; exec sleep 60"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent_process:
        assert parent_process.stdout is not None
        assert parent_process.stdout.readline() == "ready\n"
        parent_process.kill()

        rest = parent_process.stdout.read()  # returns when nobody can write to it any more

    assert rest == ""
