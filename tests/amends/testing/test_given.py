"""given, when, then: a saga goes on as the test answers, and says what is wrong."""

import msgspec
import pytest

from amends import Command, Done, Given, Refusal, Reply, Saga, begun, compensatable, pivot, retriable, together
from amends.retry import Retry
from amends.saga import Cause
from amends.testing import given

QUICK = Retry(attempts=2, base_s=1.0, cap_s=1.0)


class Ticket(msgspec.Struct, frozen=True):
    fare: int


class Pay(Command):
    participant = "bank"
    amount: int


class Paid(Reply):
    receipt: str


class TakeSeat(Command):
    participant = "airline"
    receipt: str = ""


class FreeSeat(Command):
    participant = "airline"
    why: str


class SendTicket(Command):
    participant = "post"


class SoldOut(Refusal): ...


class NoMoney(Refusal): ...


def pay(ticket: Ticket) -> Pay:
    return Pay(ticket.fare)


def pay_back(ticket: Ticket) -> Pay:
    return Pay(-ticket.fare)


def take_seat(_: Ticket, paid: Paid) -> TakeSeat:
    return TakeSeat(paid.receipt)


def take_any_seat(_: Ticket) -> TakeSeat:
    return TakeSeat()


def free_seat(_: Ticket, cause: Cause) -> FreeSeat:
    return FreeSeat(cause)


def send(_: Ticket) -> SendTicket:
    return SendTicket()


PAY = compensatable("pay", pay, undo=pay_back, retry=QUICK, undo_retry=QUICK)
buy_ticket = Saga(
    "buy-ticket",
    Ticket,
    PAY,
    pivot("take seat", take_seat, given=Given("pay", Paid)),
    retriable("send", send, retry=QUICK),
)
buy_both = Saga("buy-both", Ticket, together(PAY, compensatable("take seat", take_any_seat, undo=free_seat)))


def test_saga_goes_forward_as_it_is_answered() -> None:
    saga = given(buy_ticket, Ticket(90))
    assert saga.asked == {"pay": Pay(90)}

    saga.answers("pay", Paid("r1"))
    assert saga.asked == {"take seat": TakeSeat("r1")}

    saga.answers("take seat", Done()).answers("send", Done()).then("completed", done=["pay", "take seat", "send"])
    assert (saga.asked, saga.undone, saga.cause) == ({}, [], "")


def test_refusal_turns_it_back_and_compensations_are_asked() -> None:
    saga = given(buy_ticket, Ticket(90)).answers("pay", Paid("r1")).answers("take seat", SoldOut())
    assert (saga.status, saga.cause, saga.done) == ("compensating", "sold-out", [])
    assert saga.asked == {"pay": Pay(-90)}

    saga.answers("pay", Done()).then("compensated", done=[], undone=["pay"], cause="sold-out")


def test_steps_asked_together_are_undone_with_the_cause() -> None:
    saga = given(buy_both, Ticket(90))
    assert saga.asked == {"pay": Pay(90), "take seat": TakeSeat()}

    saga.answers("take seat", Done()).answers("pay", NoMoney())
    assert saga.asked == {"take seat": FreeSeat("no-money")}


def test_step_that_times_out_is_asked_again_and_then_undone() -> None:
    saga = given(buy_ticket, Ticket(90)).times_out("pay")
    assert (saga.status, saga.asked) == ("running", {"pay": Pay(90)})

    saga.times_out("pay").then("compensating", cause="timeout: pay")
    assert saga.asked == {"pay": Pay(-90)}


def test_step_that_never_answers_is_given_up() -> None:
    saga = given(buy_ticket, Ticket(90)).never_answers("pay").then("compensating", cause="timeout: pay")

    saga.never_answers("pay").then("stuck", undone=[])


def test_step_past_the_pivot_that_never_answers_is_stuck() -> None:
    saga = given(buy_ticket, Ticket(90)).answers("pay", Paid("r1")).answers("take seat", Done())

    saga.never_answers("send").then("stuck", done=["pay", "take seat"], undone=[])


def test_step_that_fails_is_tried_again_and_given_up() -> None:
    saga = given(buy_ticket, Ticket(90)).fails("pay", "OperationalError").then("running")

    saga.passes(1.0).fails("pay").then("compensating", cause="failed: pay")


def test_deadline_passes() -> None:
    given(buy_both, Ticket(90)).answers("pay", Done()).passes(60.0).then("compensating")
    assert given(buy_ticket, Ticket(90)).passes(4.9).asked == {"pay": Pay(90)}


def test_time_passes_on_its_own_account() -> None:
    saga = given(buy_ticket, Ticket(90))
    began = saga.now

    assert saga.passes(3.0).passes(1.0).now == began + 4.0
    assert saga.times_out("pay").now == began + 5.0


def test_begun_step_is_done_at_once() -> None:
    saga = Saga("open", Ticket, begun("open", undo=pay_back), compensatable("pay", pay, undo=pay_back))

    given(saga, Ticket(1)).then("running", done=["open"])


def test_what_does_not_hold_is_told_with_the_history() -> None:
    saga = given(buy_ticket, Ticket(90)).answers("pay", Paid("r1")).answers("take seat", SoldOut())

    with pytest.raises(AssertionError) as told:
        saga.then("compensated", done=[], undone=["pay"], cause="no-money")

    assert str(told.value).splitlines() == [
        "buy-ticket: status is compensating, not compensated; cause is sold-out, not no-money; "
        "undone is nothing, not pay",
        "  asked now: pay: Pay(amount=-90)",
        "  so far: started → asked pay → done pay → asked take seat → refused take seat (sold-out) → "
        "turned back (sold-out) → undoing pay",
    ]


def test_step_that_is_not_asked_now_is_refused() -> None:
    saga = given(buy_ticket, Ticket(90))

    with pytest.raises(
        AssertionError, match=r"buy-ticket: 'take seat' is not asked now, it is waiting\n  asked now: pay"
    ):
        saga.answers("take seat", Done())


@pytest.mark.parametrize("name", ["answers", "then"])
def test_step_that_there_is_not_is_refused(name: str) -> None:
    saga = given(buy_ticket, Ticket(90))
    expected = "buy-ticket has no step 'seat': there are pay, take seat, send; is 'take seat' meant?"

    with pytest.raises(ValueError, match=expected):
        saga.answers("seat", Done()) if name == "answers" else saga.then("running", done=["seat"])


def test_other_input_is_refused() -> None:
    with pytest.raises(TypeError, match=r"buy-ticket is started with a Ticket, not with Pay\(amount=1\)"):
        given(buy_ticket, Pay(1))  # type: ignore[misc]


def test_it_shows_itself() -> None:
    assert repr(given(buy_ticket, Ticket(9))) == "<buy-ticket: running, asked now: pay: Pay(amount=9)>"
