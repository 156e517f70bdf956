"""Samples of the profile are put to the right part."""

from bench.where import LOOP, part_of, shares

ROOT = "main (shop/main.py:9);run (asyncio/runners.py:118)"


def test_sample_belongs_to_its_innermost_known_frame() -> None:
    assert part_of(f"{ROOT};hop (amends/coordinator.py:1);run_many (amends/adapters/sqlite/connection.py:2)") == (
        "SQLite statements"
    )
    assert part_of(f"{ROOT};hop (amends/coordinator.py:1);sorted (builtins.py:2)") == "coordinator"
    assert part_of(ROOT) == LOOP


def test_shares_are_of_the_event_loop_thread_alone() -> None:
    lines = [f"{ROOT};_commit_now (amends/adapters/sqlite/group.py:9) 3", f"{ROOT} 1", "wait (threading.py:1) 90"]
    assert shares(lines) == {"commit, fsync": 75.0, LOOP: 25.0}
