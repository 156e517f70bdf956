"""What the clients of `parallel-saga` send and get, as JSON; amounts as they are shown, in major units.

A body may repeat the `id` that its path has.
"""

from typing import Annotated, Literal

import msgspec
from litestar.params import Body

from shop.orders.domain import MOST_ITEMS, MOST_QUANTITY

UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
TIME = "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
OrderId = Annotated[str, msgspec.Meta(max_length=36, pattern=UUID)]
Amount = Annotated[
    msgspec.Raw,
    Body(schema_extra={"type": "number", "minimum": 0.01, "maximum": 10**10}, description="At most two decimals"),
]
Time = Annotated[str, msgspec.Meta(max_length=19, pattern=TIME, examples=["2034-05-26T16:00:00"])]

OrderStatus = Literal["PENDING", "SUCCESS", "CANCELED"]
PaymentStatus = Literal["PENDING", "SUCCESS", "CANCELED"]
ItemStatus = Literal["PENDING", "RESERVED", "CANCELED"]
DeliveryStatus = Literal["PENDING", "SCHEDULED", "CANCELED"]


class NewLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    item: Text
    amount: Annotated[int, msgspec.Meta(ge=1, le=MOST_QUANTITY)]
    price: Amount


NewLines = Annotated[list[NewLine], msgspec.Meta(min_length=1, max_length=MOST_ITEMS)]


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    status: OrderStatus
    contents: NewLines
    id: str | None = None


class NewPayment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    order_id: OrderId
    cost: Amount
    status: PaymentStatus
    id: str | None = None


class NewItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    order_id: OrderId
    item: Text
    status: ItemStatus
    id: str | None = None


class NewDelivery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    order_id: OrderId
    time_delivery: Time
    status: DeliveryStatus
    id: str | None = None


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """An order that a saga is to place."""

    contents: NewLines
    time_delivery: Time


class Line(msgspec.Struct, frozen=True):
    item: str
    amount: int
    price: float


class Order(msgspec.Struct, frozen=True):
    id: str
    status: OrderStatus
    contents: list[Line]


class Payment(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    order_id: str
    cost: float
    status: PaymentStatus


class Item(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    order_id: str
    item: str
    status: ItemStatus


class Delivery(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    order_id: str
    time_delivery: str
    status: DeliveryStatus


class Failed(msgspec.Struct, frozen=True):
    """The order's status after everything was undone."""

    status: OrderStatus


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Text
    email: Annotated[str, msgspec.Meta(max_length=254)]


class User(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    billing_id: str
    name: str
    email: str


class Wallet(msgspec.Struct, frozen=True):
    id: str
    wallet: float


class Done(msgspec.Struct, frozen=True):
    """False: the wallet is too small."""

    status: bool


class Notification(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    user_id: str
    message: str
    email: str
