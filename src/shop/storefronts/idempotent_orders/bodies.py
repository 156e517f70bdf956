"""What the clients of `idempotent-orders` send and get, as JSON; money in minor units, ids as numbers."""

from typing import Annotated, Literal

import msgspec
from litestar.params import HeaderParameter, QueryParameter

from shop.billing.domain import MOST_MINOR
from shop.orders.domain import MOST_ITEMS, MOST_QUANTITY

_VISIBLE = r"[^@\s\u0000-\u001f\u007f-\u009f]+"
_PRINTED = r"^[^\u0000-\u001f\u007f-\u009f]*$(?!\n)"
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254, pattern=f"^{_VISIBLE}@{_VISIBLE}$")]
Phone = Annotated[str, msgspec.Meta(max_length=50, pattern=_PRINTED)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=49, pattern=_PRINTED)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Number = Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)]
Amount = Annotated[int, msgspec.Meta(ge=1, le=MOST_MINOR)]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", max_length=3, examples=["USD"])]
TransactionType = Literal["charge", "payment", "payment_refund"]
OrderStatus = Literal["created", "processing", "complete", "cancelled", "refunded"]

KEY = r"^[!-~][ -~]{0,254}$"
_SAID = "your name for one intent, 1 to 255 printable ASCII characters: repeat it safely"
OrderKey = Annotated[str, HeaderParameter(name="X-Idempotency-Key", pattern=KEY, description=_SAID)]
OptionalKey = Annotated[str | None, HeaderParameter(name="X-Idempotency-Key", pattern=KEY, description=_SAID)]
Before = Annotated[
    int | None, QueryParameter(ge=1, le=2**53 - 1, description="the id of the last one that you have seen")
]


class Registration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    email: Email
    phone: Phone
    first_name: Name
    last_name: Name
    password: Password


class Registered(msgspec.Struct, frozen=True):
    """The token is good for `expires_in` seconds."""

    access_token: str
    token_type: str
    expires_in: int


class Account(msgspec.Struct, frozen=True):
    """`balance` is what can be spent."""

    id: int
    user_id: int
    balance: int


class NewTransaction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    account_id: int
    type: TransactionType
    amount: Amount
    currency: Currency


class Transaction(msgspec.Struct, frozen=True):
    id: int
    account_id: int
    type: TransactionType
    amount: int
    currency: str
    status: Literal["available", "pending"]


class NewItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    product_id: Number
    quantity: Annotated[int, msgspec.Meta(ge=1, le=MOST_QUANTITY)]


class NewOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: Annotated[tuple[NewItem, ...], msgspec.Meta(min_length=1, max_length=MOST_ITEMS)]


class Item(msgspec.Struct, frozen=True):
    product_id: int
    quantity: int
    unit_price: int


class Order(msgspec.Struct, frozen=True):
    id: int
    items: list[Item]
    status: OrderStatus


class Alive(msgspec.Struct, frozen=True):
    status: str
