"""Whether a coordinator may write: the real check of its lease, and the guard of the saga's revision."""

from collections.abc import Sequence
from typing import cast

from amends.connections import Tx
from amends.errors import Fenced
from amends.pages import Leases
from amends.shards import Shards
from amends.testing.model_participant import OpenTx, finish


class OneLease:
    """The page `leases`, where one has been taken."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch

    async def hold(self, _: Tx, names: Sequence[str]) -> dict[str, int]:
        return dict.fromkeys(names, self._epoch)


def holds_lease(epoch: int, stored: int) -> bool:
    """Whether who took the lease at `epoch` has it still."""
    shards = Shards("coordinator", cast(Leases, OneLease(stored)), lambda _: 0, lambda: "")
    shards.gain({0: epoch}, ())
    try:
        finish(shards.check(cast(Tx, OpenTx(0.0)), [0]))
    except Fenced:
        return False
    return True


def is_revision(*, stale: bool) -> bool:
    """Whether the stored revision is the one that was read: what the page `sagas` raises a `Conflict` for."""
    return not stale
