"""What the clients of `two-phase` send and get, as JSON; amounts in whole units."""

from typing import Annotated

import msgspec

MOST = 10**10
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern="^[^\\u0000]*$")]
Number = Annotated[int, msgspec.Meta(ge=-(10**9), le=10**9)]


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names need not be unique."""

    name: Text
    balance: Annotated[int, msgspec.Meta(ge=0, le=MOST)]


class User(msgspec.Struct, frozen=True):
    """`balance` is what every participant has committed; what is merely held is still in it."""

    id: int
    name: str
    balance: int


class NewPurchase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`balance_change` is the price, below zero; the hour is one of today, UTC."""

    product_name: Text
    balance_change: Annotated[int, msgspec.Meta(ge=-MOST, le=-1)]
    warehouse_id: Number
    delivery_hour: Number


class Created(msgspec.Struct, frozen=True):
    success: str


class Failed(msgspec.Struct, frozen=True):
    failed: str
