"""What payments does when asked: it notes what the card gateway has to do; the caller does it and answers.

No network inside a transaction: a command is answered at once only when what is known of its payment settles it.
"""

from amends import Participant, Refusal, Reply, Tx
from amends.participant import Asked
from shop.payments import tables
from shop.payments.contract import (
    AuthorizationGone,
    AuthorizeCard,
    CaptureCard,
    CardAuthorized,
    CardCaptured,
    CardDeclined,
    CardRefunded,
    CardVoided,
    RefundCard,
    VoidCard,
)
from shop.payments.domain import Move, PaymentState, Wish, chargeable, decide

payments = Participant("payments")

_DONE: dict[Wish, Reply] = {
    Wish.AUTHORIZE: CardAuthorized(),
    Wish.VOID: CardVoided(),
    Wish.CAPTURE: CardCaptured(),
    Wish.REFUND: CardRefunded(),
}


@payments.handles_later(AuthorizeCard)
async def authorize(tx: Tx, command: AuthorizeCard, asked: Asked) -> Reply | Refusal | None:
    if not chargeable(command.card, command.amount_minor):
        return CardDeclined()
    wanted = tables.Payment(command.payment_id, command.card[-4:], command.amount_minor, PaymentState.ASKED)
    known = await tables.find(tx, command.payment_id)
    if known is None:
        await tables.open_payment(tx, wanted)
    elif known != wanted._replace(state=known.state):
        return AuthorizationGone()
    return await _settle_or_note(tx, known or wanted, Wish.AUTHORIZE, asked, command.card)


@payments.handles_later(VoidCard)
async def void(tx: Tx, command: VoidCard, asked: Asked) -> Reply | Refusal | None:
    known = await tables.find(tx, command.payment_id)
    if known is None:
        await tables.open_payment(tx, tables.Payment(command.payment_id, "", 0, PaymentState.VOIDED))
        return CardVoided()
    return await _settle_or_note(tx, known, Wish.VOID, asked)


@payments.handles_later(CaptureCard)
async def capture(tx: Tx, command: CaptureCard, asked: Asked) -> Reply | Refusal | None:
    known = await tables.find(tx, command.payment_id)
    return AuthorizationGone() if known is None else await _settle_or_note(tx, known, Wish.CAPTURE, asked)


@payments.handles_later(RefundCard)
async def refund(tx: Tx, command: RefundCard, asked: Asked) -> Reply | Refusal | None:
    known = await tables.find(tx, command.payment_id)
    return AuthorizationGone() if known is None else await _settle_or_note(tx, known, Wish.REFUND, asked)


def answer(wish: Wish, move: Move) -> Reply | Refusal:
    """The reply to a wish that needs no call any more."""
    match move:
        case Move.DONE:
            return _DONE[wish]
        case Move.DECLINED:
            return CardDeclined()
        case Move.GONE:
            return AuthorizationGone()
        case Move.CALL:
            raise ValueError(f"{wish} has no answer yet: call the gateway first")


async def _settle_or_note(
    tx: Tx, payment: tables.Payment, wish: Wish, asked: Asked, card: str | None = None
) -> Reply | Refusal | None:
    """What still waits decides first: a wish behind it can only be noted."""
    move = decide(wish, payment.state)
    if move is not Move.CALL and not await tables.has_open(tx, payment.payment_id):
        return answer(wish, move)
    await tables.note(tx, payment.payment_id, wish, asked, card)
    return None
