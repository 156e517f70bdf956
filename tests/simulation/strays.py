"""Trips, and what nobody asked for: unknown, unreadable, to the wrong address, in reply to nothing."""

from dataclasses import replace
from random import Random

from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId
from tests.simulation.trips import TRIPS


def stray(random: Random) -> Envelope:
    """Each has a key of its own: what it holds up is nobody's."""
    kind, type, to, payload = random.choice(_STRAYS)
    id = f"stray {random.getrandbits(40):010x}"
    return Envelope(
        id=MessageId(id),
        kind=kind,
        type=type,
        to=to,
        key=id,
        at=0.0,
        payload=payload,
        saga=SagaId(id),
        step="stray",
        operation=Operation.ACTION,
        attempt=1,
        sender="nobody",
        outcome=Outcome.DONE,
    )


_STRAYS = (
    (Kind.COMMAND, "hotel.PaintRoom", "hotel", b"{}"),
    (Kind.COMMAND, "hotel.BookHotel", "hotel", b"{"),
    (Kind.REPLY, "Done", "hotel", b"{}"),
    (Kind.EVENT, "post.events.TicketsBurnt", "post.events", b"{}"),
    (Kind.COMMAND, "hotel.BookHotel", "sagas.coordinator", b"{}"),
    (Kind.REPLY, "Done", "sagas.coordinator", b"{}"),
)
STRAYS = replace(TRIPS, strays=stray, sagas=6)
