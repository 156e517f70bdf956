"""A shelf of records: those that clients keep by hand, and behind them, to be read only, those of sagas' orders."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from shop.storefronts.parallel_saga.values import SCOPE
from shop.web import Problem


class Record(Protocol):
    @property
    def id(self) -> str: ...


class Papers(Protocol):
    """The desk of a room that keeps papers."""

    async def paper(self, scope: str, id: str) -> str | None: ...

    async def put_papers(self, scope: str, written: Mapping[str, str]) -> None: ...

    async def change_paper(self, scope: str, id: str, body: str | None) -> bool: ...


R = TypeVar("R", bound=Record)


class Shelf(Generic[R]):
    """Records of one type; `of_saga` finds the one that a saga's order has under an id."""

    def __init__(self, room: Papers, record: type[R], of_saga: Callable[[str], Awaitable[R | None]]) -> None:
        self._room = room
        self._record = record
        self._of_saga = of_saga

    async def add(self, records: Sequence[R]) -> None:
        await self._room.put_papers(SCOPE, {each.id: _text(each) for each in records})

    async def get(self, id: str) -> R:
        """Raises 404."""
        written = await self._room.paper(SCOPE, id.lower())
        if written is not None:
            return msgspec.json.decode(written, type=self._record)
        found = await self._of_saga(id.lower())
        if found is None:
            raise self._unknown(id)
        return found

    async def replace(self, record: R) -> R:
        """Raises 404, and 409 for one of a saga's order."""
        if not await self._room.change_paper(SCOPE, record.id, _text(record)):
            raise await self._fixed(record.id)
        return record

    async def remove(self, id: str) -> R:
        """Returns what was there. Raises 404, and 409 for one of a saga's order."""
        record = await self.get(id)
        if not await self._room.change_paper(SCOPE, id.lower(), None):
            raise await self._fixed(id)
        return record

    async def _fixed(self, id: str) -> Problem:
        if await self._of_saga(id.lower()) is None:
            return self._unknown(id)
        return Problem(409, "made-by-saga", f"{self._what} {id} was made by a saga: only sagas change it")

    def _unknown(self, id: str) -> Problem:
        return Problem(404, "not-found", f"there is no {self._what} {id}")

    @property
    def _what(self) -> str:
        return self._record.__name__.lower()


def _text(record: Record) -> str:
    return msgspec.json.encode(record).decode()
