"""What a power cut leaves of a file: each sector as it was at some moment between its last sync and the cut."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

_SECTORS = (512, 4096)
_LUCK = (0.0, 0.1, 0.5, 0.9, 1.0)


class Change(NamedTuple):
    """Bytes written at `offset`; or, with None, the file made to end there."""

    offset: int
    data: bytes | None


class Cut:
    """The chance of one power cut, for one thing on the disk: by its luck everything is lost, some, or nothing."""

    def __init__(self, random: Random) -> None:
        self.sector = random.choice(_SECTORS)
        self._luck = random.choice(_LUCK)
        self._random = random

    def kept(self, count: int) -> int:
        """How many of `count` changes of one place have reached the disk: the first ones, all, or none."""
        if self._random.random() < self._luck:
            return count
        return self._random.randrange(count) if count and self._random.random() < self._luck else 0


def apply(image: bytearray, change: Change) -> None:
    offset, data = change
    if offset > len(image):
        image.extend(bytes(offset - len(image)))
    if data is None:
        del image[offset:]
    else:
        image[offset : offset + len(data)] = data


def survivors(durable: bytearray, changes: Sequence[Change], cut: Cut) -> bytearray:
    """The image after the cut. A sector, of 512 or 4096 bytes, is whole; how many of its changes it holds is chance."""
    if not changes:
        return durable
    sizes = list(_sizes(len(durable), changes))
    image = durable.ljust(max(sizes), b"\0")
    for pieces in _by_sector(changes, cut.sector, len(image)):
        for offset, piece in pieces[: cut.kept(len(pieces))]:
            image[offset : offset + len(piece)] = piece
    del image[sizes[cut.kept(len(changes))] :]
    return image


def _sizes(size: int, changes: Sequence[Change]) -> Iterator[int]:
    """The file's size at first, and after each change."""
    yield size
    for offset, data in changes:
        size = offset if data is None else max(size, offset + len(data))
        yield size


def _by_sector(changes: Sequence[Change], sector: int, end: int) -> list[list[tuple[int, bytes]]]:
    """The changes of each sector, cut to it, in the order in which they were made. What is cut off is zeros then."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    for offset, written in changes:
        data = bytes(end - offset) if written is None else written
        for start in range(offset - offset % sector, offset + len(data), sector):
            first = max(start, offset)
            found.setdefault(start, []).append((first, data[first - offset : start + sector - offset]))
    return [found[start] for start in sorted(found)]
