"""What payments does when asked: it notes what the card gateway has to do; the caller does it and answers.

No network inside a transaction: a command is answered at once only when what is known of its payment settles it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, assert_never

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
from shop.payments.tables import Noted, Payment, Standing

payments = Participant("payments")

Answers = list[Reply | Refusal | None]

_DONE: dict[Wish, Reply] = {
    Wish.AUTHORIZE: CardAuthorized(),
    Wish.VOID: CardVoided(),
    Wish.CAPTURE: CardCaptured(),
    Wish.REFUND: CardRefunded(),
}


class Wanted(NamedTuple):
    """What a command wants done; an authorisation says of which `card`, and how much.

    `number`: the money is taken at once, for the order of this number; 0: it is only set aside.
    """

    payment_id: str
    wish: Wish
    asked: Asked
    card: str = ""
    amount_minor: int = 0
    number: int = 0


@payments.handles_many_later(AuthorizeCard)
async def authorize(tx: Tx, commands: Sequence[AuthorizeCard], asked: Sequence[Asked]) -> Answers:
    wanted = [
        Wanted(each.payment_id, Wish.AUTHORIZE, by, each.card, each.amount_minor)
        for each, by in zip(commands, asked, strict=True)
    ]
    return await _settle(tx, wanted)


@payments.handles_many_later(VoidCard)
async def void(tx: Tx, commands: Sequence[VoidCard], asked: Sequence[Asked]) -> Answers:
    return await _settle(tx, _wanted(Wish.VOID, commands, asked))


@payments.handles_many_later(CaptureCard)
async def capture(tx: Tx, commands: Sequence[CaptureCard], asked: Sequence[Asked]) -> Answers:
    return await _settle(tx, _wanted(Wish.CAPTURE, commands, asked))


@payments.handles_many_later(RefundCard)
async def refund(tx: Tx, commands: Sequence[RefundCard], asked: Sequence[Asked]) -> Answers:
    return await _settle(tx, _wanted(Wish.REFUND, commands, asked))


def _wanted(
    wish: Wish, commands: Sequence[VoidCard | CaptureCard | RefundCard], asked: Sequence[Asked]
) -> list[Wanted]:
    return [Wanted(each.payment_id, wish, by) for each, by in zip(commands, asked, strict=True)]


async def _settle(tx: Tx, wanted: Sequence[Wanted]) -> Answers:
    return await settle(tx, await tables.standing(tx, [each.payment_id for each in wanted]), wanted)


async def settle(tx: Tx, standing: Mapping[str, Standing], wanted: Sequence[Wanted]) -> Answers:
    """Answers what can be answered; notes the rest, whose answers are None here."""
    wishes = Wishes(standing)
    answers = [wishes.take(each) for each in wanted]
    await tables.open_payments(tx, wishes.opened, wishes.charges)
    await tables.note(tx, wishes.noted)
    return answers


class Wishes:
    """Takes wishes one after the other; what they come to is `opened`, the `charges` of those, and `noted`."""

    def __init__(self, standing: Mapping[str, Standing]) -> None:
        self.opened: list[Payment] = []
        self.charges: dict[str, int] = {}
        self.noted: list[Noted] = []
        self._standing = dict(standing)

    def take(self, wanted: Wanted) -> Reply | Refusal | None:
        """What still waits for a payment decides first: a wish behind it can only be noted."""
        if wanted.wish is Wish.AUTHORIZE and not chargeable(wanted.card, wanted.amount_minor):
            return CardDeclined()
        known = self._standing.get(wanted.payment_id) or self._open(wanted)
        if known is None or not _fits(wanted, known.payment):
            return AuthorizationGone()
        move = decide(wanted.wish, known.payment.state)
        if move is not Move.CALL and not known.waits:
            return answer(wanted.wish, move)
        self._note(wanted, known)
        return None

    def _open(self, wanted: Wanted) -> Standing | None:
        payment = _begun(wanted)
        if payment is None:
            return None
        self.opened.append(payment)
        if wanted.number:
            self.charges[wanted.payment_id] = wanted.number
        self._standing[wanted.payment_id] = opened = Standing(payment)
        return opened

    def _note(self, wanted: Wanted, known: Standing) -> None:
        id, nth = wanted.payment_id, known.last + 1
        self.noted.append(Noted(id, nth, wanted.wish, wanted.card or None, wanted.asked))
        self._standing[id] = Standing(known.payment, nth, waits=True)


def _begun(wanted: Wanted) -> Payment | None:
    """The payment that begins with a wish. With a void it is over: its authorisation comes too late."""
    match wanted.wish:
        case Wish.AUTHORIZE:
            return Payment(wanted.payment_id, wanted.card[-4:], wanted.amount_minor, PaymentState.ASKED)
        case Wish.VOID:
            return Payment(wanted.payment_id, "", 0, PaymentState.VOIDED)
        case Wish.CAPTURE | Wish.REFUND:
            return None
        case _:
            assert_never(wanted.wish)


def _fits(wanted: Wanted, known: Payment) -> bool:
    """An authorisation is for the card and the amount that its payment began with."""
    return wanted.wish is not Wish.AUTHORIZE or _begun(wanted) == known._replace(state=PaymentState.ASKED)


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
