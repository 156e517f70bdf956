"""Group commit: transactions that end in the same turn of the event loop share one commit, and one sync of the disk.

    hop ─savepoint─┐
    hop ─savepoint─┼─ commit ─▶ each hop's actions, then each hop goes on
    hop ─savepoint─┘

A hop that fails is rolled back to its savepoint; the others stay. A commit that fails fails all of them. Between hops
nothing is awaited, so a group lasts no longer than the work that was ready anyway.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw

Action = Callable[[], None]


class Member(NamedTuple):
    """A hop that waits for the commit, and what it wants done after it."""

    durable: "asyncio.Future[None]"
    actions: Sequence[Action]


class Group:
    """The write transactions of one connection, one at a time, committed together.

    `writer` gives the connection; `committed` is told after each commit, `broken` when a sync has failed.
    """

    def __init__(
        self, writer: Callable[[], apsw.Connection], committed: Callable[[], None], broken: Callable[[], None]
    ) -> None:
        self._writer = writer
        self._committed = committed
        self._broken = broken
        self._turn = asyncio.Lock()
        self._members: list[Member] = []
        self._due = False

    async def enter(self) -> apsw.Connection:
        """Begins a hop's part, once the one before has ended its own."""
        await self._turn.acquire()
        try:
            writer = self._writer()
            if not writer.in_transaction:
                writer.execute("begin immediate")
            writer.execute("savepoint hop")
        except BaseException:
            self._pass_on()
            raise
        return writer

    async def keep(self, actions: Sequence[Action]) -> None:
        """Ends a hop's part; returns when it is durable."""
        member = Member(asyncio.get_running_loop().create_future(), actions)
        try:
            self._writer().execute("release hop")
            self._members.append(member)
            if len(self._members) == 1:
                asyncio.get_running_loop().call_soon(self._commit)
        except apsw.Error as error:
            self._undo_all(error)
            raise
        finally:
            self._pass_on()
        await member.durable

    def drop(self) -> None:
        """Undoes a hop's part. When the database has undone the others' as well, they fail, too."""
        try:
            writer = self._writer()
            if writer.in_transaction:
                writer.execute("rollback to hop")
                writer.execute("release hop")
                if not self._members:
                    writer.execute("rollback")
            else:
                self._fail_all(apsw.AbortError("the transaction was rolled back by the database"))
        except apsw.Error as error:
            self._undo_all(error)
        finally:
            self._pass_on()

    async def settle(self) -> None:
        """Commits what waits; no hop is at work afterwards."""
        async with self._turn:
            self._commit_now()

    def _pass_on(self) -> None:
        self._turn.release()
        if self._due:
            self._commit()

    def _commit(self) -> None:
        """In the turn after the first member's; or as soon as the hop at work has ended."""
        self._due = self._turn.locked()
        if not self._due:
            self._commit_now()

    def _commit_now(self) -> None:
        if not self._members:
            return
        try:
            self._writer().execute("commit")
        except apsw.Error as error:
            self._undo_all(error)
            return
        members, self._members = self._members, []
        for member in members:
            _tell(member)
        self._committed()

    def _undo_all(self, error: apsw.Error) -> None:
        if isinstance(error, apsw.IOError | apsw.FullError):
            self._broken()
        elif self._writer().in_transaction:
            self._writer().execute("rollback")
        self._fail_all(error)

    def _fail_all(self, error: apsw.Error) -> None:
        members, self._members = self._members, []
        for member in members:
            if not member.durable.done():
                member.durable.set_exception(error)


def _tell(member: Member) -> None:
    """The actions run even when their hop waits no more: what they announce is durable."""
    try:
        for action in member.actions:
            action()
    except Exception as error:  # the hop's own: it learns of it, the others don't
        if not member.durable.done():
            member.durable.set_exception(error)
    if not member.durable.done():
        member.durable.set_result(None)
