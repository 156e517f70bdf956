"""What others may ask delivery, and what it answers. A slot is a start time, RFC 3339 in UTC, in a calendar."""

from amends import Command, Refusal, Reply


class DeliveryCommand(Command):
    participant = "delivery"


class BookCourier(DeliveryCommand):
    order_id: str
    calendar: str
    slot: str


class CancelCourier(DeliveryCommand):
    order_id: str


class CourierBooked(Reply): ...


class CourierCancelled(Reply): ...


class NoCourier(Refusal): ...


class TimePassed(Refusal):
    """The calendar books only the future, and the slot's time has come."""
