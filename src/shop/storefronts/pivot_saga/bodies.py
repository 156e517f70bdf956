"""What the clients of `pivot-saga` send and get, as JSON. Times are shown as they were sent, nanoseconds included."""

from typing import Annotated, Literal

import msgspec

from shop.orders.domain import MOST_ITEMS, MOST_QUANTITY, MOST_TOTAL_MINOR

Id = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Time = Annotated[
    str,
    msgspec.Meta(
        max_length=35,
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
        examples=["2024-01-30T21:35:12.123456789+03:00"],
    ),
]

_PRICE = msgspec.Meta(ge=0, le=10**10)


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price` is that of one piece, with at most two decimals."""

    item_id: Id
    quantity: Annotated[int, msgspec.Meta(ge=1, le=MOST_QUANTITY)]
    price: Annotated[int, _PRICE] | Annotated[float, _PRICE]


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`sum` is what is paid, in minor units. What is sent as `order_id`, `status` and `detail` counts for nothing.

    `payment`: 1 card, 2 instant bank transfer. `notification`: 1 e-mail, 2 SMS. `status`: 1 new, 2 in process, 3 OK,
    4 not OK, 5 cancelled. `detail` tells what each service has answered.
    """

    order_id: Id
    user_id: Id
    payment: Literal[1, 2]
    notification: Literal[1, 2]
    created_at: Time
    approved_at: Time
    sum: Annotated[int, msgspec.Meta(ge=1, le=MOST_TOTAL_MINOR)]
    items: Annotated[tuple[Item, ...], msgspec.Meta(min_length=1, max_length=MOST_ITEMS)]
    status: int = 1
    detail: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Mistakes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of a service's operations that is refused from now on, in percent."""

    mistakes: Annotated[int, msgspec.Meta(ge=0, le=100)]


decode_order = msgspec.json.Decoder(Order).decode
encode_order = msgspec.json.Encoder().encode
