"""What a power cut leaves of a file, sector by sector."""

from collections import Counter
from random import Random

import pytest

from amends.testing.images import Change, Cut, apply, survivors

OLD = b"old" * 2048


class Luck(Cut):
    """A cut that keeps as many changes of each place as the test says."""

    def __init__(self, *kept: int, sector: int = 512) -> None:
        self.sector = sector
        self._kept = list(kept)

    def kept(self, count: int) -> int:
        return min(count, self._kept.pop(0))


def left(cut: Cut, *changes: Change) -> bytes:
    return bytes(survivors(bytearray(OLD), changes, cut))


def test_what_was_not_changed_stays() -> None:
    assert left(Luck()) == OLD


def test_each_sector_of_a_write_is_kept_or_lost() -> None:
    new = b"n" * 1024
    assert left(Luck(1, 0, 1), Change(0, new)) == new[:512] + OLD[512:]
    assert left(Luck(0, 1, 1), Change(0, new)) == OLD[:512] + new[512:] + OLD[1024:]
    assert left(Luck(1, 1, sector=4096), Change(0, new)) == new + OLD[1024:]


def test_bytes_beside_a_write_keep_their_value() -> None:
    assert left(Luck(1, 1), Change(100, b"new")) == OLD[:100] + b"new" + OLD[103:]


def test_sector_is_as_it_was_at_one_moment() -> None:
    changes = Change(0, b"a"), Change(1, b"b"), Change(0, b"c")
    assert [left(Luck(kept, 3), *changes)[:3] for kept in range(4)] == [b"old", b"ald", b"abd", b"cbd"]


def test_size_has_a_moment_of_its_own() -> None:
    grown, new = Change(len(OLD), b"n" * 512), b"n" * 512
    assert left(Luck(0, 1), grown) == OLD + bytes(512)
    assert left(Luck(1, 0), grown) == OLD
    assert left(Luck(1, 1), grown) == OLD + new


def test_what_was_cut_off_and_written_again_may_be_what_it_was() -> None:
    changes = Change(512, None), Change(512, b"n" * 512)
    assert left(Luck(*[9] * 99), *changes) == OLD[:512] + b"n" * 512
    assert left(Luck(*[0] * 99), *changes) == OLD
    assert left(Luck(0, *[9] * 99), *changes) == OLD[:1024]


def test_gap_before_a_write_is_zeros() -> None:
    image = bytearray(b"ab")
    apply(image, Change(4, b"c"))
    assert image == b"ab\0\0c"
    apply(image, Change(1, None))
    assert image == b"a"
    apply(image, Change(3, None))
    assert image == b"a\0\0"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_cut_keeps_all_some_or_none(count: int) -> None:
    random = Random(1)
    seen = Counter(Cut(random).kept(count) for _ in range(2000))
    assert set(seen) == set(range(count + 1))
    assert seen[0] > 400
    assert seen[count] > 400
