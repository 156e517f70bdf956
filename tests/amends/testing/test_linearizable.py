"""Histories that one order explains are accepted, others are not, and what is said of those can be read."""

from collections.abc import Iterable
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amends.testing.linearizable import History, Operation, check
from amends.testing.objects import (
    Answer,
    Capture,
    CompareAndSet,
    Contents,
    Deposit,
    Hold,
    Purse,
    PurseInput,
    PurseOutput,
    Read,
    Register,
    Release,
    Take,
    Write,
)
from tests.amends.testing.linear_cases import KEY, Seen, made, mutated, seen, some_order_explains

DONE, REFUSED = Answer.DONE, Answer.REFUSED
ANSWERS: dict[str, list[Any]] = {"register": [None, 0, 1, 2, True, False], "purse": [DONE, REFUSED, 0, 2, 5, 9]}
EXAMPLES = 300

EXPLAINED: dict[str, tuple[Any, list[Seen]]] = {
    "nothing": (Register(), []),
    "overlapping read sees the write": (Register(), seen((1, 4, Write(1), None), (2, 3, Read(), 1))),
    "overlapping read does not see the write": (Register(), seen((1, 4, Write(1), None), (2, 3, Read(), None))),
    "a later call takes effect first": (
        Register(),
        seen((1, 9, Write(1), None), (2, 8, Write(2), None), (3, 4, Read(), 2), (5, 6, Read(), 1)),
    ),
    "calls at the step of a return overlap it": (Register(), seen((1, 2, Write(1), None), (2, 3, Read(), None))),
    "a lost write is seen much later": (
        Register(),
        seen((1, None, Write(1), None), (2, 3, Read(), None), (8, 9, Read(), 1)),
    ),
    "a lost write is never seen": (Register(), seen((1, None, Write(1), None), (2, 3, Read(), None))),
    "of two swaps one wins": (
        Register({KEY: 0}),
        seen((1, 4, CompareAndSet(0, 1), True), (2, 3, CompareAndSet(0, 2), False), (5, 6, Read(), 1)),
    ),
    "the hold that comes second is refused": (
        Purse({KEY: 5}),
        seen((1, 4, Hold(3), REFUSED), (2, 3, Hold(4), DONE), (5, 6, Read(), 1)),
    ),
    "refused before what was released came back": (
        Purse({KEY: 5}),
        seen((1, 2, Hold(5), DONE), (3, 6, Release(5), DONE), (4, 5, Hold(1), REFUSED), (7, 8, Read(), 5)),
    ),
    "what is held is captured once": (
        Purse({KEY: 5}),
        seen((1, 2, Hold(5), DONE), (3, 4, Capture(5), DONE), (5, 6, Capture(5), REFUSED), (7, 8, Read(), 0)),
    ),
    "a lost take had too little": (
        Purse({KEY: 1}),
        seen((1, None, Take(5), None), (2, 3, Deposit(1), DONE), (4, 5, Read(), 2)),
    ),
}

UNEXPLAINED: dict[str, tuple[Any, list[Seen], int]] = {
    "stale read": (Register(), seen((1, 2, Write(1), None), (3, 4, Read(), None)), 1),
    "read of what nobody wrote": (Register(), seen((1, 2, Read(), 7)), 0),
    "reads in turn see a new value and then the old one": (
        Register(),
        seen((1, 8, Write(1), None), (2, 3, Read(), 1), (4, 5, Read(), None)),
        2,
    ),
    "two readers see two writes in different order": (
        Register(),
        seen(
            (1, 20, Write(1), None),
            (1, 20, Write(2), None),
            (2, 3, Read(), 1),
            (4, 5, Read(), 2),
            (6, 7, Read(), 1),
        ),
        4,
    ),
    "a lost write is seen, and then not": (
        Register(),
        seen((1, None, Write(1), None), (2, 3, Read(), 1), (4, 5, Read(), None)),
        2,
    ),
    "both swaps win": (
        Register({KEY: 0}),
        seen((1, 4, CompareAndSet(0, 1), True), (2, 3, CompareAndSet(0, 2), True)),
        0,
    ),
    "an update is lost": (
        Purse({KEY: 0}),
        seen((1, 4, Deposit(1), DONE), (2, 3, Deposit(1), DONE), (5, 6, Read(), 1)),
        2,
    ),
    "more is held than there is": (Purse({KEY: 5}), seen((1, 4, Hold(3), DONE), (2, 3, Hold(3), DONE)), 0),
    "refused although there is enough": (Purse({KEY: 5}), seen((1, 4, Hold(2), DONE), (2, 3, Hold(3), REFUSED)), 1),
    "released twice": (
        Purse({KEY: 5}),
        seen((1, 2, Hold(5), DONE), (3, 4, Release(5), DONE), (5, 6, Release(5), DONE)),
        2,
    ),
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_history_that_an_order_explains_is_accepted(name: str) -> None:
    model, history = EXPLAINED[name]
    assert some_order_explains(history, model)
    assert check(history, model) is None


@pytest.mark.parametrize("name", UNEXPLAINED)
def test_history_that_no_order_explains_is_told_with_the_operation_that_fits_nowhere(name: str) -> None:
    model, history, misfit = UNEXPLAINED[name]
    assert not some_order_explains(history, model)
    found = check(history, model)
    assert found is not None
    assert found.operation == history[misfit]
    assert some_order_explains(found.placed, model)


def test_violation_reads_as_a_story() -> None:
    history = seen((1, 2, Hold(3), DONE), (3, 6, Hold(2), DONE), (4, 5, Hold(1), REFUSED), (5, None, Deposit(1), None))
    history += seen((7, 8, Read(), 0))
    assert str(check(history, Purse({KEY: 6}))) == (
        "the one: no order of the operations explains their outputs\n"
        "  in this order all is well:\n"
        "    client 0 [1–2] Hold(amount=3) → done\n"
        "    client 1 [3–6] Hold(amount=2) → done\n"
        "    client 3 [5–…] Deposit(amount=1) → no answer\n"
        "  nowhere fits:\n"
        "    client 2 [4–5] Hold(amount=1) → refused\n"
        "  the model has there, by one order or another:\n"
        "    Contents(available=3, held=3)\n"
        "    Contents(available=1, held=5)\n"
        "    Contents(available=2, held=5)\n"
        "    Contents(available=4, held=3)"
    )


def test_long_story_is_shortened_to_its_end() -> None:
    history = seen(*((2 * at, 2 * at + 1, Deposit(1), DONE) for at in range(30)), (100, 101, Read(), 31))
    told = str(check(history, Purse()))
    assert "… 18 more" in told
    assert "[58–59]" in told
    assert "[34–35]" not in told


def test_keys_are_judged_one_by_one() -> None:
    good, bad = seen((1, 2, Read(), 5), key="good"), seen((1, 2, Read(), 5), key="bad")
    model = Purse({"good": 5})
    assert check(good, model) is None
    found = check([*good, *bad], model)
    assert found is not None
    assert found.key == "bad"
    assert found.states == (Contents(0),)


def test_return_before_its_call_is_no_history() -> None:
    with pytest.raises(ValueError, match="returned before it was called"):
        check(seen((2, 1, Read(), None)), Register())


def test_recorder_counts_steps_and_forgets_what_failed() -> None:
    history: History[PurseInput, PurseOutput] = History()
    first, second = history.call("a", "ann", Deposit(1)), history.call("a", "bob", Take(9))
    third, _ = history.call("a", "eve", Hold(2)), history.call("a", "joe", Read())
    history.returned(second, REFUSED)
    history.failed(first)
    history.unknown(third)
    assert list(history) == [
        Operation("a", "bob", 2, 5, Take(9), REFUSED),
        Operation("a", "eve", 3, None, Hold(2)),
        Operation("a", "joe", 4, None, Read()),
    ]
    assert check(history, Purse()) is None


def test_call_is_closed_once() -> None:
    history: History[PurseInput, PurseOutput] = History()
    token = history.call("a", "ann", Read())
    history.unknown(token)
    with pytest.raises(ValueError, match="close each call once"):
        history.returned(token, 1)


class Coin:
    """A model of which nobody knows what it does: a flip leaves it on either side."""

    def initial(self, key: str) -> str:
        return "heads"

    def step(self, state: str, operation: Operation[str, str]) -> Iterable[str]:
        if operation.input == "flip":
            return ("heads", "tails")
        return (state,) if operation.may_answer(state) else ()

    def may_change(self, operation: Operation[str, str]) -> bool:
        return True


def test_model_may_go_several_ways() -> None:
    flip, heads, tails = (1, 2, "flip", None), (3, 4, "look", "heads"), (5, 6, "look", "tails")
    assert check(seen(flip, tails), Coin()) is None
    assert check(seen(flip, heads), Coin()) is None
    assert check(seen(flip, heads, tails), Coin()) is not None


@given(st.randoms(use_true_random=False), st.sampled_from(["register", "purse"]), st.integers(1, 6), st.integers(1, 60))
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_a_real_object_does_is_accepted(random: Random, kind: str, clients: int, operations: int) -> None:
    model, history = made(random, kind, clients, operations, lost=random.choice([0.0, 0.1]))
    assert check(history, model) is None


@given(st.randoms(use_true_random=False), st.sampled_from(["register", "purse"]), st.integers(1, 4), st.integers(1, 6))
@settings(max_examples=EXAMPLES, deadline=None)
def test_verdict_on_a_changed_output_is_that_of_every_order_tried(
    random: Random, kind: str, clients: int, operations: int
) -> None:
    model, history = made(random, kind, clients, operations, lost=random.choice([0.0, 0.2]))
    changed = mutated(random, history, ANSWERS[kind])
    found = check(changed, model)
    assert (found is None) == some_order_explains(changed, model)
    if found:
        assert some_order_explains(found.placed, model)


@pytest.mark.bench
@pytest.mark.parametrize("kind", ["register", "purse"])
def test_long_histories_are_judged(kind: str) -> None:
    """Ten clients, two hundred operations a key: those an object has made, and those with one output changed."""
    for title, change in ("made", False), ("changed", True):
        cases = [made(Random(seed), kind, clients=10, operations=200, lost=0.02) for seed in range(20)]
        if change:
            cases = [(model, mutated(Random(0), history, ANSWERS[kind])) for model, history in cases]
        began = process_time()
        wrong = sum(check(history, model) is not None for model, history in cases)
        took = process_time() - began
        print(f"{kind}, {title}: {20 * 200 / took:,.0f} operations/s, {wrong} of 20 not linearizable")
        assert wrong > 0 if change else wrong == 0
