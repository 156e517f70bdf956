"""Between the dialect's values and the shop's: amounts, times, names, ids."""

import re
from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import PathParameter, SkipValidation

from shop.billing.domain import is_amount
from shop.orders.domain import normal_slot
from shop.storefronts.amounts import to_minor
from shop.storefronts.parallel_saga.bodies import UUID
from shop.storefronts.rooms import Rooms
from shop.web import Problem

SCOPE = "parallel-saga"

Desks = NamedDependency[SkipValidation[Rooms]]
Id = Annotated[str, PathParameter(pattern=UUID, max_length=36)]

_ITEM_ID = re.compile("([0-9a-f]{8})-0000-8000-8000-([0-9a-f]{12})")


def amount_of(field: str, number: bytes | msgspec.Raw) -> int:
    """In minor units. Raises 400."""
    minor = to_minor(bytes(number))
    if minor is None or not is_amount(minor):
        raise Problem(400, "bad-amount", f"{field} has to be a number from 0.01 to 10**10 with at most two decimals")
    return minor


def slot_of(time: str) -> str:
    """Local time is UTC. Raises 400."""
    slot = normal_slot(f"{time}Z")
    if slot is None:
        raise Problem(400, "bad-time", "timeDelivery has to be a time such as 2034-05-26T16:00:00")
    return slot


def time_of(slot: str) -> str:
    """
    >>> time_of("2034-05-26T16:00:00Z"), time_of("2034-05-26T16:00:30Z")
    ('2034-05-26T16:00', '2034-05-26T16:00:30')
    """
    return slot.removesuffix("Z").removesuffix(":00") if slot.endswith(":00Z") else slot.removesuffix("Z")


def checked(field: str, text: str) -> str:
    """Raises 400 for what can't be printed."""
    if not text.isprintable():
        raise Problem(400, "bad-request", f"{field} has to be printable characters")
    return text


def sku_of(item: str) -> str:
    """The shop's name of an item of this storefront."""
    return f"{SCOPE}/{item}"


def item_of(sku: str) -> str:
    return sku.removeprefix(f"{SCOPE}/")


def item_id(number: int, nth: int) -> str:
    """A UUID (version 8, RFC 9562) for line `nth` of this storefront's order `number`.

    >>> item_id(27, 1)
    '00000001-0000-8000-8000-00000000001b'
    """
    return f"{nth:08x}-0000-8000-8000-{number:012x}"


def line_of(id: str) -> tuple[int, int] | None:
    """The number of the order, and which of its lines; None for an id that `item_id` has not made.

    >>> line_of("00000001-0000-8000-8000-00000000001b")
    (27, 1)
    """
    parts = _ITEM_ID.fullmatch(id)
    return (int(parts[2], 16), int(parts[1], 16)) if parts else None
