"""What others may ask payments, and what it answers. `payment_id` is made by who asks, and keys the gateway's calls."""

from amends import Command, Refusal, Reply


class PaymentsCommand(Command):
    participant = "payments"


class AuthorizeCard(PaymentsCommand):
    payment_id: str
    card: str
    amount_minor: int


class VoidCard(PaymentsCommand):
    payment_id: str


class CaptureCard(PaymentsCommand):
    payment_id: str


class RefundCard(PaymentsCommand):
    payment_id: str


class CardAuthorized(Reply): ...


class CardVoided(Reply): ...


class CardCaptured(Reply): ...


class CardRefunded(Reply): ...


class CardDeclined(Refusal): ...


class AuthorizationGone(Refusal):
    """The authorisation is not there, or not in a state in which this can be done."""
