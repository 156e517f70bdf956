"""What others may ask payments, what it answers, and what it tells of orders with a number, their key.

`payment_id` is made by who asks, and keys the gateway's calls.
"""

from amends import Command, Event, Refusal, Reply
from shop.service_status import ServiceStatus


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


class Pay(PaymentsCommand):
    """Takes the money at once, for an order with a number; it is told. `method` is 1 for a card, 2 for a bank transfer.

    `account` is the card's number, or what the gateway takes in its place.
    """

    payment_id: str
    number: int
    method: int
    account: str
    amount_minor: int


class CardAuthorized(Reply): ...


class CardVoided(Reply): ...


class CardCaptured(Reply): ...


class CardRefunded(Reply): ...


class Paid(Reply): ...


class CardDeclined(Refusal): ...


class AuthorizationGone(Refusal):
    """The authorisation is not there, or not in a state in which this can be done."""


class PaymentWanted(Event):
    """Payments was asked to take money; `payment` is the method, `sum` in minor units."""

    topic = "orders.service.payment.pay"
    order_id: int
    payment: int
    sum: int


class PaymentTold(Event):
    """What became of it; `detail` is the reason of a refusal."""

    topic = "orders.service.payment.status"
    order_id: int
    status: ServiceStatus
    detail: str = ""
