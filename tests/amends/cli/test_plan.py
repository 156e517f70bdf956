"""What is still to come for a saga, and what would be undone."""

from amends.machine import Answer, Decision, Moment, advance, start
from amends.messages import Operation, Outcome, SagaId
from amends.pages import Instance
from amends.plan import planned, would_undo
from amends.state import SagaState
from tests.amends.cli.journeys import take_trip

NOW = Moment(1000.0, 0.5)
NAMES = [step.name for step in take_trip.steps]


def state_after(*answers: tuple[str, Outcome]) -> SagaState:
    decision: Decision = start(take_trip, NOW)
    for step, outcome in answers:
        reply = Answer(step, Operation.ACTION, 1, outcome, "NoFlight")
        decision = advance(take_trip, decision.state, reply, NOW)
    return decision.state


def done(*steps: str) -> list[tuple[str, Outcome]]:
    return [(step, Outcome.DONE) for step in steps]


def instance(state: SagaState) -> Instance:
    return Instance(SagaId("s"), "take-trip", take_trip.version, b'{"place":"city"}', state, 1, None, "", 1000.0)


def undone(state: SagaState) -> list[str]:
    return [each.step for each in would_undo(take_trip, instance(state))]


def to_come(state: SagaState) -> list[str]:
    return [each.step for each in planned(take_trip, instance(state))]


def test_steps_not_asked_yet_are_planned_with_their_commands() -> None:
    ahead = planned(take_trip, instance(state_after(*done("book room"))))

    assert [tuple(each) for each in ahead] == [("pay", "flights.Pay", 2), ("send tickets", "hotels.SendTickets", 3)]


def test_compensations_run_last_group_first_and_last_step_first() -> None:
    assert undone(state_after(*done("book room"))) == ["book second room", "book flight", "book room"]


def test_an_open_pivot_may_still_be_refused() -> None:
    assert undone(state_after(*done(*NAMES[:3]))) == ["book second room", "book flight", "book room"]


def test_nothing_is_undone_past_the_pivot() -> None:
    state = state_after(*done(*NAMES[:4]))

    assert (undone(state), to_come(state)) == ([], [])


def test_a_saga_that_turned_back_plans_no_step_and_undoes_what_is_left() -> None:
    state = state_after(*done("book room", "book second room"), ("book flight", Outcome.REFUSED))

    assert (undone(state), to_come(state)) == (["book second room", "book room"], [])


def test_an_ended_saga_has_nothing_ahead() -> None:
    state = state_after(*done(*NAMES))

    assert (undone(state), to_come(state)) == ([], [])
