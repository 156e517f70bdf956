"""What may be done to a payment in each of its states."""

import itertools

import pytest

from shop.payments.domain import Move, PaymentState, Wish, chargeable, decide

CALL, DONE, DECLINED, GONE = Move.CALL, Move.DONE, Move.DECLINED, Move.GONE
TABLE = {
    Wish.AUTHORIZE: (CALL, DONE, DECLINED, DONE, GONE, GONE),
    Wish.VOID: (CALL, CALL, DONE, GONE, DONE, DONE),
    Wish.CAPTURE: (GONE, CALL, GONE, DONE, GONE, GONE),
    Wish.REFUND: (GONE, GONE, GONE, CALL, GONE, DONE),
}
MOVES = {(wish, state): move for wish, row in TABLE.items() for state, move in zip(PaymentState, row, strict=True)}


@pytest.mark.parametrize(("wish", "state"), list(itertools.product(Wish, PaymentState)))
def test_each_wish_has_one_outcome_in_each_state(wish: Wish, state: PaymentState) -> None:
    assert decide(wish, state) is MOVES[wish, state]


@pytest.mark.parametrize(
    ("card", "amount_minor"),
    [("", 1), ("4242", 1), ("4" * 20, 1), ("4242-4242-4242-4242", 1), ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", 1), ("4" * 16, 0)],
)
def test_nonsense_is_not_chargeable(card: str, amount_minor: int) -> None:
    assert not chargeable(card, amount_minor)
    assert chargeable("4" * 16, 1)
