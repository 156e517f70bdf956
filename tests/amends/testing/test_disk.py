"""The simulated disk loses what was not synced, and nothing else."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import apsw
import pytest

from amends.adapters.sqlite.connection import connect
from amends.testing.disk import Disk
from amends.testing.disk_files import DiskFile
from tests.amends.testing.disk_cases import PATH, after_a_cut, live, live_until_cut, moments, opened, verdict

MOMENTS = range(1, moments() + 1)
COUNT = "select count(*) from facts"


@pytest.fixture
def disk() -> Iterator[Disk]:
    with Disk(Random(1)) as disk:
        yield disk


def verdicts(seeds: range, sync: str = "full") -> Counter[str]:
    """Of a cut at every moment, by each seed."""
    return Counter(after_a_cut(seed, moment, sync) for seed in seeds for moment in MOMENTS)


def test_what_was_committed_survives_a_cut_at_every_moment() -> None:
    assert verdicts(range(3)) == {"good": 3 * len(MOMENTS)}


@pytest.mark.long
def test_what_was_committed_survives_a_cut_at_every_moment_by_many_seeds() -> None:
    assert verdicts(range(3, 99)) == {"good": 96 * len(MOMENTS)}


@pytest.mark.parametrize("seed", range(3))
def test_what_was_committed_survives_cut_after_cut(seed: int) -> None:
    """Also those that come while a database recovers from the one before."""
    random = Random(seed)
    for life in range(70):
        with Disk(Random(f"{seed} {life}")) as disk:
            told: list[int] = []
            for _ in range(4):
                live_until_cut(disk, told, random.randrange(1, len(MOMENTS)))
                assert verdict(disk, told) == "good", (seed, life)
                told = list(range(count(disk)))


def count(disk: Disk) -> int:
    with opened(disk) as connection:
        has_facts = connection.execute("select 1 from sqlite_schema").fetchall()
        return len(connection.execute("select distinct number from facts").fetchall()) if has_facts else 0


def test_commits_without_syncs_of_their_own_are_lost_but_whole() -> None:
    """`synchronous=NORMAL` syncs the log before a checkpoint only."""
    seen = verdicts(range(2), "normal")
    assert set(seen) == {"good", "lost"}
    assert seen["lost"] > len(MOMENTS) / 4


def test_without_any_sync_commits_are_lost_and_files_corrupt() -> None:
    seen = verdicts(range(2), "off")
    assert seen["lost"] > len(MOMENTS) / 2
    assert seen["corrupt"] > 0


@pytest.mark.parametrize("suffix", ["-wal", ".db"])
def test_disk_that_lies_about_syncs_is_noticed(monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """Of the log, or of the database before the log begins anew: each of the two syncs is needed."""
    sync = DiskFile.sync

    def lying(file: DiskFile, directory: bool) -> None:
        if not file.name.endswith(suffix):
            sync(file, directory)

    monkeypatch.setattr(DiskFile, "sync", lying)
    seen = verdicts(range(2))
    assert seen["lost"] + seen["corrupt"] + seen["torn"] > len(MOMENTS) / 10


def test_log_whose_name_was_not_synced_is_lost_with_its_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amends.testing.disk.Directory.sync", lambda directory: None)
    assert verdicts(range(2))["lost"] > len(MOMENTS) / 10


def test_same_seed_gives_the_same_losses() -> None:
    assert losses() == losses()


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_losses_do_not_depend_on_the_process(hash_seed: str) -> None:
    program = "from tests.amends.testing.test_disk import losses; print(losses())"
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": "src:."}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == losses()


def losses() -> str:
    """What three power cuts have left of files that nobody has synced: sizes, names, and which page is whose."""
    with Disk(Random(5)) as disk:
        left = []
        for _ in range(20):
            live_until_cut(disk, [], 90, "off")
            left.append(",".join(f"{name}:{len(file.image)}" for name, file in disk.directory.files.items()))
            left.append(verdict(disk, []))
            for name in list(disk.directory.files):
                disk.unlink(disk.full_name(name), True)
        return " ".join(left)


def test_connections_of_before_are_dead(disk: Disk) -> None:
    live(disk, [])
    with opened(disk) as writer, opened(disk) as idle, opened(disk) as reader:
        writer.execute("begin immediate")
        writer.execute("delete from facts")
        assert reader.execute(COUNT).fetchall() == [(14,)]
        disk.crash()
        for connection in (idle, reader):
            with pytest.raises(apsw.IOError, match="power was cut"):
                connection.execute(COUNT).fetchall()
        with pytest.raises(apsw.IOError, match="power was cut"):
            writer.execute("commit")
        with opened(disk) as fresh:
            assert fresh.execute(COUNT).fetchall() == [(14,)]
    assert verdict(disk, list(range(6))) == "good"


def test_connection_of_before_that_opens_its_log_late_is_dead(disk: Disk) -> None:
    live(disk, [])
    late = apsw.Connection(str(PATH), vfs=disk.name)
    disk.crash()
    with pytest.raises(apsw.Error):
        late.execute(COUNT).fetchall()
    late.close()
    assert verdict(disk, list(range(6))) == "good"


def test_readers_see_the_log_beside_its_writer(disk: Disk) -> None:
    live(disk, [])
    reader = connect(PATH, vfs=disk.name, readonly=True)
    with opened(disk) as writer:
        reader.execute("begin")
        assert reader.execute(COUNT).fetchall() == [(14,)]
        writer.execute("delete from facts where number = 0")
        assert reader.execute(COUNT).fetchall() == [(14,)]
        reader.execute("rollback")
        assert reader.execute(COUNT).fetchall() == [(12,)]
    reader.close()


def test_full_disk_refuses_what_grows_and_takes_it_once_there_is_room(disk: Disk) -> None:
    live(disk, [])
    with opened(disk) as connection:
        disk.full = True
        with pytest.raises(apsw.FullError):
            connection.execute("insert into facts values (100, 0, 'x')")
        disk.full = False
        assert connection.execute(COUNT).fetchall() == [(14,)]
        connection.execute("insert into facts values (100, 0, 'x')")
    disk.crash()
    with opened(disk) as connection:
        assert connection.execute(COUNT).fetchall() == [(15,)]


def test_failed_sync_is_told_and_the_next_one_saves_nothing_of_it(disk: Disk) -> None:
    """What the failed one was to save has reached the disk or hasn't; a second sync finds it clean."""
    kept = set()
    for _ in range(30):
        file = disk.create(disk.full_name("file"))
        file.write(0, b"new")
        disk.fail_syncs()
        with pytest.raises(apsw.IOError, match="sync failed"):
            file.sync(True)
        file.sync(True)
        disk.crash()
        kept.add(bytes(disk.directory.files["file"].image))
        disk.unlink(disk.full_name("file"), True)
    assert kept == {b"new", b"", bytes(3)}


def test_syncs_fail_so_many_times(disk: Disk) -> None:
    file = disk.create(disk.full_name("file"))
    disk.fail_syncs(2, after=1)
    outcomes = []
    for _ in range(4):
        try:
            file.sync(False)
            outcomes.append("saved")
        except apsw.IOError:
            outcomes.append("failed")
    assert outcomes == ["saved", "failed", "failed", "saved"]


def test_name_is_durable_once_its_directory_was_synced(disk: Disk) -> None:
    there = dict.fromkeys(("unsynced", "synced"), 0)
    for turn in range(40):
        for name, directory in (("synced", True), ("unsynced", False)):
            disk.create(disk.full_name(f"{name}{turn}")).sync(directory)
        disk.crash()
        for name in there:
            there[name] += f"{name}{turn}" in disk.directory.files
    assert there["synced"] == 40
    assert 0 < there["unsynced"] < 40


def test_slow_disk_takes_its_time(disk: Disk) -> None:
    disk.slow_s = 0.01
    before = time.monotonic()
    disk.create(disk.full_name("file")).sync(False)
    assert time.monotonic() - before >= 0.01


def test_files_are_gone_when_the_disk_is_closed() -> None:
    with Disk(Random(1)) as disk:
        live(disk, [])
        folder = Path(next(iter(disk.directory.files.values())).path).parent
    assert not folder.exists()
    with pytest.raises(apsw.SQLError, match="no such vfs"):
        connect(PATH, vfs=disk.name)
