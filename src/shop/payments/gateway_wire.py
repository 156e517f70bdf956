"""What travels between payments and the card gateway, and the gateway's test numbers."""

from typing import Annotated, Literal

import msgspec

APPROVED = "4242424242424242"
DECLINED = "4000000000000002"
SLOW = "4000000000002008"
"""Approved after `GatewaySettings.slow_s`, within the caller's patience."""
LATE = "4000000000008005"
"""Authorised at once, answered after `GatewaySettings.late_s`, when the caller waits no more."""
LOST = "4000000000005001"
"""Authorised, and the answer is lost: the caller sees a server error."""

KEY_HEADER = "Idempotency-Key"

Outcome = Literal["authorized", "declined", "captured", "voided", "refunded"]


class Authorization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `POST /authorizations`; `capture`: the money is taken at once."""

    card: Annotated[str, msgspec.Meta(max_length=32)]
    amount_minor: Annotated[int, msgspec.Meta(gt=0, le=10**12)]
    capture: bool = False


class Record(msgspec.Struct, frozen=True):
    """What the gateway has under a key; the body of every answer that is final."""

    key: str
    state: Outcome
    card_last4: str
    amount_minor: int
