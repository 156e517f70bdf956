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


class HoldCourier(DeliveryCommand):
    """Books what has still to be confirmed; after `stands_s` seconds without that it is cancelled, 0: never."""

    order_id: str
    calendar: str
    slot: str
    stands_s: float = 0.0


class ConfirmCourier(DeliveryCommand):
    order_id: str


class DropCourier(DeliveryCommand):
    """Cancels what was held and not confirmed."""

    order_id: str


class PrepareCourier(DeliveryCommand):
    """A vote by prepared transaction: the whole booking, seen by nobody before its commit."""

    order_id: str
    calendar: str
    slot: str


class CommitCourier(DeliveryCommand): ...


class AbortCourier(DeliveryCommand): ...


class CourierBooked(Reply): ...


class CourierCancelled(Reply): ...


class CourierHeld(Reply): ...


class CourierConfirmed(Reply): ...


class CourierDropped(Reply): ...


class NoCourier(Refusal): ...


class CourierGone(Refusal):
    """Too late: the booking that was held has been cancelled."""


class TimePassed(Refusal):
    """The calendar books only the future, and the slot's time has come."""
