"""What the clients of `queue-saga` send and get, as JSON; amounts as they are shown, in major units."""

from typing import Annotated

import msgspec
from litestar.params import Body

from shop.orders.domain import MOST_QUANTITY
from shop.warehouse.domain import MOST_ON_HAND

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Amount = Annotated[
    msgspec.Raw,
    Body(schema_extra={"type": "number", "minimum": 0.01, "maximum": 10**10}, description="At most two decimals"),
]
Time = Annotated[
    str,
    msgspec.Meta(
        max_length=19,
        pattern="^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}$",
        examples=["2025-01-08 10:00:00"],
    ),
]


class Refill(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`balance` is the amount to add."""

    login: str
    balance: Amount


class NewProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    description: Text
    quantity: Annotated[int, msgspec.Meta(ge=0, le=MOST_ON_HAND)]


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` is the order's total price; `quntity` is spelt so."""

    login: str
    e_mail: Text
    id_product: int
    quntity: Annotated[int, msgspec.Meta(ge=1, le=MOST_QUANTITY)]
    amount: Amount
    dtime: Time


class Account(msgspec.Struct, frozen=True):
    """`balance` is what can be spent: money held for running orders is taken off."""

    login: str
    balance: float


class ProductId(msgspec.Struct, frozen=True):
    id: int


class StockedProduct(msgspec.Struct, frozen=True):
    """`quantity` is what can be ordered: reservations are taken off."""

    id: int
    description: str
    quantity: int


class Accepted(msgspec.Struct, frozen=True):
    id: int
    login: str
    amount: float


class LastOrder(msgspec.Struct, frozen=True):
    id: int
    login: str
    e_mail: str
    id_product: int
    quantity: int
    amount: float
    status: str
    dtime: str


class Delivery(msgspec.Struct, frozen=True):
    id: int
    id_order: int
    dtime: str
