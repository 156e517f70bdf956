"""What buyers want of the shop under load: each wish with its key, and how it may end."""

import json
from dataclasses import dataclass, field
from random import Random

from shop.payments.gateway_wire import APPROVED, DECLINED, LATE, LOST, SLOW
from tests.system.people import Buyer, Document, order_of
from tests.system.wire import Answer

WIDE, NARROW, NOWHEN = "2034-06-01T08:00:00Z", "2034-06-01T12:00:00Z", "2034-06-01T16:00:00Z"
PLUM, HOT, GOLD, RARE, GHOST = "plum", "hot", "gold", "rare", "ghost"
PRICES = {PLUM: 100, HOT: 250, GOLD: 10**11, RARE: 100}
BUSY = frozenset({"too-many-requests", "overloaded", "stopping", "conflict", "key-in-use"})
BY_CARD = frozenset({"approved", "card-declined"})  # declined is also what a killed shop was too late for


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of order: how often of a hundred, what is sent, how it may end."""

    share: int
    sku: str
    ends: frozenset[str]
    slot: str = WIDE
    pay_with: str = "wallet"


KINDS = (
    Kind(38, PLUM, frozenset({"approved"})),
    Kind(14, HOT, frozenset({"approved", "out-of-stock"})),
    Kind(10, PLUM, frozenset({"approved", "no-courier"}), NARROW),
    Kind(6, GOLD, frozenset({"insufficient-funds"})),
    Kind(6, RARE, frozenset({"out-of-stock"})),
    Kind(6, PLUM, frozenset({"no-courier"}), NOWHEN),
    Kind(3, GHOST, frozenset({"unknown-product"})),
    Kind(8, PLUM, BY_CARD, pay_with=f"card:{APPROVED}"),
    Kind(4, PLUM, frozenset({"card-declined"}), pay_with=f"card:{DECLINED}"),
    Kind(3, PLUM, BY_CARD, pay_with=f"card:{LOST}"),
    Kind(1, PLUM, BY_CARD, pay_with=f"card:{SLOW}"),
    Kind(1, PLUM, BY_CARD, pay_with=f"card:{LATE}"),
)
SHARES = [kind.share for kind in KINDS]


@dataclass(eq=False, slots=True)
class Intent:
    """One wish under one key. `outcome` is the id of what came of it, or the name of the refusal; "" until answered."""

    buyer: Buyer
    path: str
    key: str
    body: Document | None
    ends: frozenset[str] = frozenset()
    outcome: str = ""
    final: str = ""
    cancel: "Intent | None" = field(default=None, repr=False)

    def take(self, answer: Answer) -> bool:
        """False when it has to be asked again; fails when the same key got another answer than before."""
        outcome = named(answer)
        if outcome in BUSY:
            return False
        assert outcome == (self.outcome or outcome), (self, answer)
        self.outcome = outcome
        if answer.status == 201 and self.path == "/api/orders":
            self.final = end_of(answer.json())
        return True

    @property
    def raw(self) -> bytes:
        return b"" if self.body is None else json.dumps(self.body).encode()

    @property
    def placed(self) -> bool:
        return self.path == "/api/orders" and self.outcome not in {"", "unknown-product"}


def named(answer: Answer) -> str:
    if answer.status in (201, 202):
        return str(answer.json()["id"])
    assert answer.status in (409, 422, 429, 503), answer
    return answer.problem


def end_of(order: Document) -> str:
    """`approved`, `cancelled`, or the reason of a rejection."""
    assert order["status"] != "pending", order
    return str(order["reason"] or order["status"])


def order_intent(buyer: Buyer, key: str, chance: Random, poor: bool) -> Intent:
    """Whoever is poor may have too little money for anything that a wallet pays."""
    kind = chance.choices(KINDS, SHARES)[0]
    body = order_of(kind.sku, kind.slot, chance.randint(1, 3), kind.pay_with)
    short = {"insufficient-funds"} if poor and kind.pay_with == "wallet" and kind.sku != GHOST else set()
    return Intent(buyer, "/api/orders", key, body, kind.ends | short)


def cancel_intent(order: Intent) -> Intent:
    order.cancel = Intent(order.buyer, f"/api/orders/{order.outcome}/cancel", f"{order.key}/cancel", None)
    return order.cancel


def deposit_intent(buyer: Buyer, key: str, amount_minor: int) -> Intent:
    return Intent(buyer, "/api/wallet/deposits", key, {"amount_minor": amount_minor})
