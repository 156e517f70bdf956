"""What the shop on a disk rests on, each taken out by a patch: the oracles have to notice."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import pytest

from amends.adapters.sqlite import connection
from amends.adapters.sqlite.group import Action, Group
from amends.testing.disk import Disk
from tests.simulation.shop_homes import ON_DISK
from tests.simulation.shop_world import Outcomes, play

Patch = pytest.MonkeyPatch

CUT: Mapping[str, float] = {"power cut": 0.5}
FAILING: Mapping[str, float] = {"power cut": 0.6, "killed at a write": 1.0, "sync failed": 0.3}


class Rule(NamedTuple):
    """Seeds run at these rates, with so many orders, until the oracles object."""

    taken_out: Callable[[Patch], None]
    rates: Mapping[str, float] = CUT
    orders: int = 8


def commits_are_synced(patch: Patch) -> None:
    _with_sync(patch, "off")


def each_commit_is_synced(patch: Patch) -> None:
    """The log is synced before a checkpoint only."""
    _with_sync(patch, "normal")


def disks_do_not_lie(patch: Patch) -> None:
    init = Disk.__init__

    def lying(disk: Disk, random: Random) -> None:
        init(disk, random)
        disk.lies = True

    patch.setattr(Disk, "__init__", lying)


def acknowledged_is_what_is_committed(patch: Patch) -> None:
    keep = Group.keep

    async def hasty(group: Group, actions: Sequence[Action]) -> None:
        commit = asyncio.get_running_loop().create_task(keep(group, actions))
        commit.add_done_callback(lambda task: task.cancelled() or task.exception())

    patch.setattr(Group, "keep", hasty)


def logs_are_saved_before_they_are_trusted(patch: Patch) -> None:
    patch.setattr(connection, "save_log", lambda *_: None)


RULES = (
    Rule(commits_are_synced),
    Rule(each_commit_is_synced),
    Rule(disks_do_not_lie),
    Rule(acknowledged_is_what_is_committed),
    Rule(logs_are_saved_before_they_are_trusted, FAILING),
)


def play_without(rule: Rule, seed: int) -> Outcomes:
    return play(seed, rates=rule.rates, orders=rule.orders, shape=ON_DISK)


def prepare() -> None:
    """What is kept between worlds is made while every rule still holds."""
    play(0, rates={}, orders=1, shape=ON_DISK)


def _with_sync(patch: Patch, mode: str) -> None:
    pragmas = [each.replace("synchronous = full", f"synchronous = {mode}") for each in connection._PRAGMAS]
    patch.setattr(connection, "_PRAGMAS", tuple(pragmas))
