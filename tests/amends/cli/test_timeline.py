"""A history drawn in lanes, whatever happened."""

from amends.commands.timeline import timeline
from amends.machine import Answer, Moment, advance, expire, start
from amends.messages import Operation, Outcome
from amends.state import SagaState
from tests.amends.cli.journeys import take_trip


def drawn(state: SagaState) -> list[str]:
    return [f"{line.lanes} {line.what} {line.detail}".rstrip() for line in timeline(take_trip, state, 1000.0)]


def answer(step: str, outcome: Outcome, operation: Operation = Operation.ACTION) -> Answer:
    return Answer(step, operation, 1, outcome, "OSError")


def test_a_failure_and_a_further_attempt_keep_the_lane_open() -> None:
    state = start(take_trip, Moment(1000.0, 0.5)).state
    state = advance(take_trip, state, answer("book room", Outcome.FAILED), Moment(1000.5, 0.5)).state
    state = expire(take_trip, state, Moment(1002.0, 0.5)).state
    late = Answer("book room", Operation.ACTION, 2, Outcome.DONE)
    state = advance(take_trip, state, late, Moment(1003.0, 0.5)).state

    assert drawn(state)[:5] == ["●     started", "│ ┌   asked", "│ !   failed OSError", "│ ├   asked 2", "│ ●   done"]
    assert [line.after_s for line in timeline(take_trip, state, 1000.0)][:5] == [0.0, 0.0, 0.5, 2.0, 3.0]


def test_silence_is_drawn_as_unknown_and_undone_in_the_same_lane() -> None:
    state = start(take_trip, Moment(1000.0, 0.5)).state
    state = expire(take_trip, state, Moment(1031.0, 0.5)).state
    undone = answer("book room", Outcome.DONE, Operation.COMPENSATION)
    state = advance(take_trip, state, undone, Moment(1032.0, 0.5)).state

    assert drawn(state)[2:] == [
        "│ ?   unknown",
        "●     turned back timeout: book room",
        "│ ┌   undoing",
        "│ ○   undone",
        "●     compensated timeout: book room",
    ]


def test_without_a_definition_each_step_has_a_lane_and_a_number() -> None:
    state = start(take_trip, Moment(1000.0, 0.5)).state

    assert [(line.lanes, line.step) for line in timeline(None, state, 1000.0)] == [
        ("●          ", ""),
        ("│ ┌        ", "step 1"),
    ]
