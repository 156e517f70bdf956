import pytest

from shop.billing import domain
from shop.billing.domain import MOST_MINOR, Hold, HoldState, Verdict

HELD, CAPTURED, RELEASED, REFUNDED = HoldState
ASKED = Hold("ann", 100, HELD)


@pytest.mark.parametrize(
    ("amount", "free", "verdict"),
    [
        (100, 100, Verdict.DO),
        (101, 100, Verdict.SHORT),
        (0, 100, Verdict.SHORT),
        (-1, 100, Verdict.SHORT),
        (MOST_MINOR, 2 * MOST_MINOR, Verdict.DO),
        (MOST_MINOR + 1, 2 * MOST_MINOR, Verdict.SHORT),
    ],
)
def test_money_is_held_when_the_amount_is_one_and_free(amount: int, free: int, verdict: Verdict) -> None:
    assert domain.hold(None, ASKED._replace(amount_minor=amount), free) is verdict


@pytest.mark.parametrize(
    ("known", "verdict"),
    [
        (ASKED, Verdict.DONE),
        (ASKED._replace(state=CAPTURED), Verdict.DONE),
        (ASKED._replace(state=RELEASED), Verdict.GONE),
        (ASKED._replace(state=REFUNDED), Verdict.GONE),
        (ASKED._replace(amount_minor=99), Verdict.GONE),
        (ASKED._replace(wallet_id="bob"), Verdict.GONE),
    ],
)
def test_a_hold_is_made_once(known: Hold, verdict: Verdict) -> None:
    assert domain.hold(known, ASKED, 1000) is verdict


@pytest.mark.parametrize(
    ("state", "capture", "release", "refund"),
    [
        (None, Verdict.GONE, Verdict.DONE, Verdict.GONE),
        (HELD, Verdict.DO, Verdict.DO, Verdict.GONE),
        (CAPTURED, Verdict.DONE, Verdict.GONE, Verdict.DO),
        (RELEASED, Verdict.GONE, Verdict.DONE, Verdict.GONE),
        (REFUNDED, Verdict.GONE, Verdict.DONE, Verdict.DONE),
    ],
)
def test_a_hold_moves_as_drawn(state: HoldState | None, capture: Verdict, release: Verdict, refund: Verdict) -> None:
    assert (domain.capture(state), domain.release(state), domain.refund(state)) == (capture, release, refund)
