"""Every small saga, explored in full with what may go wrong; and each rule taken out, which the exploration finds.

`pytest -s` prints what was counted.
"""

from collections.abc import Callable
from typing import Any

import pytest

from amends import participant_hop
from amends.barrier import Verdict
from amends.draft import Draft
from amends.messages import Envelope
from amends.pages import BarrierKey
from amends.state import Status
from amends.testing import model_lease
from amends.testing.model import Broken, Explored, Trouble, explore
from amends.testing.model_coordinator import CoordinatorModel
from amends.testing.model_words import shapes
from tests.amends.hazards import ablations

Patch = pytest.MonkeyPatch
Options = dict[str, Any]

ONCE = Trouble()
FEWER = {"ccc": Trouble(most=2), "rrr": Trouble(most=4)}
TWICE = Trouble(duplicates=2, losses=2, timers=2)


def is_whole(explored: Explored, *options: object) -> None:
    """Both ends are reached, where there are two, and something was seen on the way."""
    print(f"\n{explored.shape:6} {explored.worlds:>9,} worlds {explored.moves:>11,} moves", *options, end="")
    turns = {Status.COMPENSATED} if {"c", "p"} & {*explored.shape} else set()
    assert set(explored.ends) == {Status.COMPLETED} | turns
    assert 0 < explored.situations < explored.worlds < explored.moves


LARGE = {*FEWER, "cc c", "c cc", "cc p", "cc r"}


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=pytest.mark.long if shape in LARGE else ()) for shape in shapes(3)]
)
def test_every_small_saga_ends_all_forward_or_all_undone(shape: str) -> None:
    trouble = FEWER.get(shape, ONCE)
    is_whole(explore(shape, trouble), f"at most {trouble.most} troubles" if shape in FEWER else "")


@pytest.mark.parametrize(
    ("shape", "trouble", "options"),
    [
        ("c c", Trouble(timers=2), {"attempts": 1}),
        ("c c p", TWICE._replace(most=4), {}),
        ("c p r", Trouble(crashes=2), {}),
        ("c", Trouble(refusals=2), {}),
        ("c p r", Trouble(refusals=1), {}),
        ("cc", Trouble(refusals=1, most=3), {}),
        ("c p", Trouble(failures=1), {}),
        ("c c", Trouble(failures=2, most=4), {}),
        ("c p r", Trouble(refusals=1, timers=2), {"gives_up": True, "attempts": 1}),
        ("p rr", ONCE, {"gives_up": True}),
        ("c p r", ONCE, {"apart": True}),
        pytest.param("cc", Trouble(most=4), {"apart": True}, marks=pytest.mark.long),
        ("c p r", ONCE, {"freezes": True}),
        pytest.param("cc", Trouble(most=3), {"freezes": True}, marks=pytest.mark.long),
    ],
)
def test_more_trouble_breaks_no_rule(shape: str, trouble: Trouble, options: Options) -> None:
    is_whole(explore(shape, trouble, **options), trouble, options or "")


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("trouble", "options"),
    [
        (TWICE._replace(most=4), {}),
        (Trouble(refusals=1, failures=1, most=4), {}),
        (Trouble(crashes=2, most=4), {"apart": True}),
        (Trouble(most=4), {"freezes": True}),
        (Trouble(refusals=1, most=4), {"gives_up": True, "attempts": 1}),
    ],
)
@pytest.mark.parametrize("shape", [shape for shape in shapes(3) if shape not in FEWER])
def test_much_trouble_breaks_no_rule(shape: str, trouble: Trouble, options: Options) -> None:
    is_whole(explore(shape, trouble, **options), trouble, options or "")


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("shape", sorted(FEWER))
def test_three_steps_at_once_break_no_rule(shape: str) -> None:
    is_whole(explore(shape))


@pytest.mark.parametrize(
    ("shape", "trouble", "options"),
    [
        ("c p", ONCE, {}),
        ("c r", Trouble(refusals=1), {}),
        ("rr", ONCE, {}),
        ("c c", Trouble(most=3), {"freezes": True}),
        ("cc", Trouble(most=2), {"apart": True}),
        ("c p", Trouble(failures=1, most=2), {}),
    ],
)
def test_messages_that_change_nothing_are_left_out_without_loss(
    shape: str, trouble: Trouble, options: Options, monkeypatch: Patch
) -> None:
    short = explore(shape, trouble, **options)
    monkeypatch.setattr(CoordinatorModel, "_spent", lambda *_: False)
    full = explore(shape, trouble, **options)
    assert (short.situations, set(short.ends)) == (full.situations, set(full.ends))
    assert short.worlds < full.worlds


def answers_are_not_repeated(patch: Patch) -> None:
    """A command that comes again is met with silence."""

    def judge(envelope: Envelope, *rest: Any) -> Verdict:
        verdict = ablations.judge(envelope, *rest)
        return Verdict.SILENCE if verdict is Verdict.REPEAT else verdict

    patch.setattr(participant_hop, "judge", judge)


def asking_anew_is_another_operation(patch: Patch) -> None:
    """As if each coordinator made keys of its own."""

    def key_of(envelope: Envelope) -> BarrierKey:
        return BarrierKey(envelope.saga, f"{envelope.step}/{envelope.epoch}", envelope.operation)

    patch.setattr(participant_hop, "key_of", key_of)


def nothing_is_asked_again(patch: Patch) -> None:
    patch.setattr(Draft, "ask_again", lambda self, at: self._wait(at, 2.0))


def pivot_is_no_point_of_no_return(patch: Patch) -> None:
    patch.setattr(Draft, "committed", property(lambda self: False))


def revisions_are_ignored(patch: Patch) -> None:
    patch.setattr(model_lease, "is_revision", lambda *, stale: True)


def any_coordinator_writes(patch: Patch) -> None:
    ablations.coordinator_ignores_epochs(patch)
    revisions_are_ignored(patch)


@pytest.mark.parametrize(
    ("ablation", "shape", "rule", "moves"),
    [
        (ablations.no_barrier, "c p r", "s0 is done twice", 2),
        (ablations.empty_compensation_runs, "c p r", "s0 is undone, and nothing was done", 4),
        (ablations.no_tombstones, "c p r", "s0 stands, and its compensation was answered", 5),
        (ablations.tombstone_is_used_up, "c p r", "s0 stands, and its compensation was answered", 5),
        (ablations.participants_ignore_epochs, "cc", "carried out for a coordinator whose successor was heard of", 3),
        (any_coordinator_writes, "p r", "the saga was compensated and is running", 4),
        (any_coordinator_writes, "c p", "the saga goes forward again after it has turned back", 3),
        (pivot_is_no_point_of_no_return, "c p r", "the saga turns back, and s1 was done", 4),
        (pivot_is_no_point_of_no_return, "c r", "the saga turns back, and s1 was done", 4),
        (answers_are_not_repeated, "c p r", "goes round and round", 6),
        (asking_anew_is_another_operation, "c p r", "s0 is done twice", 3),
        (nothing_is_asked_again, "c p r", "goes round and round", 2),
        (ablations.only_answered_steps_are_undone, "c p r", "compensated, and s0 stands", 4),
        (ablations.late_success_is_not_undone, "c p r", "compensated, and s0 stands", 3),
        (ablations.direction_is_not_one_way, "c p r", "the saga turns back, and s1 was done", 4),
    ],
)
def test_rule_that_is_taken_out_is_missed(
    ablation: Callable[[Patch], None], shape: str, rule: str, moves: int, monkeypatch: Patch
) -> None:
    ablation(monkeypatch)
    with pytest.raises(Broken, match=rule) as found:
        explore(shape, freezes=ablation is any_coordinator_writes)
    print(f"\n{ablation.__name__}: {found.value}")
    assert len(found.value.trace) == moves


@pytest.mark.parametrize("ablation", [ablations.coordinator_ignores_epochs, revisions_are_ignored])
def test_lease_and_revision_each_keep_a_frozen_coordinator_from_writing_over_another(
    ablation: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    ablation(monkeypatch)
    is_whole(explore("c p", freezes=True))


def test_trace_is_the_shortest_way_there_and_can_be_read(monkeypatch: Patch) -> None:
    ablations.no_tombstones(monkeypatch)
    with pytest.raises(Broken) as found:
        explore("c")
    assert str(found.value) == TRACE


TRACE = """\
c: s0 stands, and its compensation was answered
  0  the saga starts
  1  the net loses action of s0, epoch 1
       running: s0 asked. In flight: nothing
  2  patience ends with s0
       running: s0 asked. In flight: action of s0, epoch 1
  3  patience ends with s0
       compensating: s0 undoing. In flight: action of s0, epoch 1, compensation of s0, epoch 1
  4  participant takes compensation of s0, epoch 1: runs nothing, answers done
       compensating: s0 undoing. In flight: action of s0, epoch 1, done to compensation of s0
  5  participant takes action of s0, epoch 1: carries it out
       compensating: s0 undoing, did do. In flight: done to compensation of s0"""
