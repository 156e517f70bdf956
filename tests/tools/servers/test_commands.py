"""The command line, and what it says about this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import POSTGRES, require
from tools.servers import java, missing_for_kafka, missing_for_postgres, postgres
from tools.servers.__main__ import chosen, main, parser


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine on which nothing is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("AMENDS_SERVERS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(postgres, "programs", dict)
    java.java_version.cache_clear()
    yield
    java.java_version.cache_clear()


def test_bare_machine_is_told_what_to_install(bare_machine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 1

    printed = capsys.readouterr().out
    assert "PostgreSQL 15 is not installed: apt-get install postgresql-15" in printed
    assert "PostgreSQL 16 is not installed: make setup" in printed
    assert "no Java 17 or newer: apt-get install default-jre-headless" in printed


def test_server_that_cannot_run_is_an_error_and_no_traceback(
    bare_machine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", "--postgres", "15"]) == 1

    assert capsys.readouterr().err == "PostgreSQL 15 is not installed: apt-get install postgresql-15\n"


def test_missing_server_skips_a_test_here_and_fails_it_in_continuous_integration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Java"):
        require("no Java")

    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no Java"):
        require("no Java")
    require("")


@pytest.mark.parametrize(
    ("options", "servers"),
    [
        (["--postgres", "16"], ["postgres"]),
        (["--kafka"], ["kafka"]),
        (["--connect"], ["kafka", "connect"]),
        ([], ["postgres", "kafka", "connect"]),
    ],
    ids=str,
)
def test_up_runs_what_is_asked_for_and_everything_by_default(
    tmp_path: Path, options: list[str], servers: list[str]
) -> None:
    assert list(chosen(tmp_path, parser().parse_args(["up", *options]))) == servers


def test_archive_that_is_not_there_is_left_out(bare_machine: None) -> None:
    assert java.archived("kafka") == ()


@pytest.mark.parametrize(("says", "enough"), [('openjdk version "17.0.15"', True), ('java version "1.8.0"', False)])
def test_old_java_is_not_enough(monkeypatch: pytest.MonkeyPatch, says: str, enough: bool) -> None:
    monkeypatch.setattr(java, "java_version", lambda: says)

    assert java.has_java() is enough


@pytest.mark.servers
def test_this_machine_runs_everything() -> None:
    for missing in (missing_for_kafka(), *map(missing_for_postgres, POSTGRES)):
        require(missing)

    assert main(["check"]) == 0


@pytest.mark.servers
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_up_prints_addresses_and_stops_at_a_signal(tmp_path: Path, ending: signal.Signals) -> None:
    require(missing_for_postgres(16))
    command = [sys.executable, "-m", "tools.servers", "up", "--postgres", "16", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline().startswith("postgres   postgresql://postgres@127.0.0.1:")
        server = int((tmp_path / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        running.send_signal(ending)
        assert running.wait(30) == 0

    with pytest.raises(ProcessLookupError):
        os.kill(server, 0)
