"""Definitions and moments for the tests of the pure machine."""

import msgspec
from hypothesis import strategies as st

from amends.machine import Moment
from amends.messages import Command
from amends.retry import Retry
from amends.saga import Group, Saga, Step, begun, best_effort, compensatable, decided, pivot, retriable
from amends.state import Phase, SagaState, Status

NOW = 1_000.0
QUICK = Retry(attempts=2, base_s=0.1, cap_s=1.0)
FAR = 1e12


class Order(msgspec.Struct, frozen=True):
    id: str = "o1"


class Do(Command):
    participant = "worker"
    id: str


class Undo(Command):
    participant = "worker"
    id: str


def do(order: Order) -> Do:
    return Do(order.id)


def undo(order: Order) -> Undo:
    return Undo(order.id)


def at(now: float = NOW, roll: float = 0.5) -> Moment:
    return Moment(now, roll)


def step(kind: str, name: str, retry: Retry = QUICK) -> Step[Order]:
    """A step by the first letter of its kind: begun, compensatable, pivot, decided, retriable; e is best effort."""
    match kind:
        case "b":
            return begun(name, undo=undo, undo_retry=retry)
        case "c":
            return compensatable(name, do, undo=undo, retry=retry, undo_retry=retry)
        case "p":
            return pivot(name, do, retry=retry)
        case "d":
            return decided(name)
        case "r":
            return retriable(name, do, retry=retry)
        case _:
            return best_effort(name, do, retry=retry)


def saga_of(shape: str, retry: Retry = QUICK) -> Saga[Order]:
    """`saga_of("b cc p re")`: groups by blanks, a letter a step; steps are named s0, s1, …"""
    numbers = iter(range(len(shape)))
    groups = [Group(tuple(step(kind, f"s{next(numbers)}", retry) for kind in group)) for group in shape.split()]
    return Saga("case", Order, *groups, deadline_s=10_000.0)


@st.composite
def shapes(draw: st.DrawFn) -> str:
    """Every shape that a definition may have, of one to six steps."""
    front = draw(st.sampled_from(["", "b"]))
    before = draw(st.lists(st.sampled_from(["c", "cc", "ccc"]), max_size=2))
    middle = draw(st.sampled_from(["", "p", "d"]))
    after = draw(st.lists(st.sampled_from(["r", "e", "rr", "re", "er"]), max_size=2))
    groups = [group for group in [front, *before, middle, *after] if group]
    while sum(map(len, groups)) > 6:
        groups.remove(max(groups, key=len))
    return " ".join(groups) or "c"


def phases(state: SagaState) -> list[Phase]:
    return [each.phase for each in state.steps]


def moving(state: SagaState) -> bool:
    return state.status in (Status.RUNNING, Status.COMPENSATING)
