"""The history of a saga: lines that are only ever added, kept packed.

A hop adds lines to the histories of hundreds of sagas and reads none of them: what is stored stays packed bytes, new
lines are joined on, and only who looks at the history unpacks it.
"""

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line of the history. `step` is the step's index, −1 for the saga itself; `at` in Unix seconds."""

    at: float
    step: int
    what: str
    detail: str = ""


_ARRAY_32 = b"\xdd"  # msgpack: an array whose length is in the next four bytes
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[Entry, ...]).decode


class History(Sequence[Entry]):
    """An immutable sequence of entries; `packed` is what is stored, `fresh` what came since."""

    __slots__ = ("_joined", "fresh", "packed")

    def __init__(self, packed: bytes = b"\0\0\0\0", fresh: tuple[Entry, ...] = ()) -> None:
        self.packed = packed
        self.fresh = fresh
        self._joined = b"" if fresh else packed

    def plus(self, entries: Sequence[Entry]) -> "History":
        """The same with `entries` at the end."""
        return History(self._joined, tuple(entries)) if self._joined else History(self.packed, (*self.fresh, *entries))

    @property
    def last(self) -> Entry:
        """The newest entry; a fresh one costs nothing."""
        return self.fresh[-1] if self.fresh else self[-1]

    def pack(self) -> bytes:
        """All of it, as it is stored: four bytes of length, then the entries in msgpack."""
        if not self._joined:
            count = int.from_bytes(self.packed[:4]) + len(self.fresh)
            header = 1 if len(self.fresh) < 16 else 3
            self._joined = count.to_bytes(4) + self.packed[4:] + _encode(self.fresh)[header:]
        return self._joined

    def _all(self) -> tuple[Entry, ...]:
        return _decode(_ARRAY_32 + self.packed) + self.fresh

    def __len__(self) -> int:
        return int.from_bytes(self.packed[:4]) + len(self.fresh)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entry, ...]: ...
    def __getitem__(self, index: int | slice) -> Entry | tuple[Entry, ...]:
        return self._all()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return f"History({list(self)!r})"
