"""What becomes of a card payment.

asked ──▶ authorized ──▶ captured ──▶ refunded
  │            └──────▶ voided
  ├──▶ declined
  └──▶ voided
"""

from enum import StrEnum


class PaymentState(StrEnum):
    """What is known of a payment. `ASKED`: the gateway's word is not known yet."""

    ASKED = "asked"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURED = "captured"
    VOIDED = "voided"
    REFUNDED = "refunded"


class Wish(StrEnum):
    """What a command wants done to a payment."""

    AUTHORIZE = "authorize"
    VOID = "void"
    CAPTURE = "capture"
    REFUND = "refund"


class Move(StrEnum):
    """What to do about a wish: call the gateway, or answer that it is done, declined, or can't be done any more."""

    CALL = "call"
    DONE = "done"
    DECLINED = "declined"
    GONE = "gone"


_S = PaymentState
_DIGITS = range(12, 20)
_MOST_MINOR = 10**12


def chargeable(card: str, amount_minor: int) -> bool:
    """A number and an amount that a gateway can be asked for at all; the number of digits is ISO/IEC 7812's.

    >>> chargeable("4242424242424242", 1), chargeable("4242", 1)
    (True, False)
    """
    return card.isascii() and card.isdigit() and len(card) in _DIGITS and 0 < amount_minor <= _MOST_MINOR


def decide(wish: Wish, state: PaymentState) -> Move:
    """What to do about a wish in a state; after a call, in the state that the gateway has told.

    >>> decide(Wish.CAPTURE, PaymentState.AUTHORIZED)
    <Move.CALL: 'call'>
    """
    match wish, state:
        case (Wish.AUTHORIZE, _S.ASKED) | (Wish.VOID, _S.ASKED | _S.AUTHORIZED):
            return Move.CALL
        case (Wish.CAPTURE, _S.AUTHORIZED) | (Wish.REFUND, _S.CAPTURED):
            return Move.CALL
        case (Wish.AUTHORIZE, _S.AUTHORIZED | _S.CAPTURED) | (Wish.CAPTURE, _S.CAPTURED):
            return Move.DONE
        case (Wish.VOID, _S.VOIDED | _S.DECLINED | _S.REFUNDED) | (Wish.REFUND, _S.REFUNDED):
            return Move.DONE
        case (Wish.AUTHORIZE, _S.DECLINED):
            return Move.DECLINED
        case _:
            return Move.GONE
