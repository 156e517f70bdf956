"""What clients of a simulated shop intend, made from chance: orders, deposits, looks, wishes to take an order back."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import msgspec

from shop.orders.parallel_saga import place_in_parallel
from shop.orders.sagas import place_order
from shop.orders.tcc_saga import place_by_tcc
from shop.orders.two_phase_saga import buy_two_phase
from shop.payments.gateway_wire import APPROVED, DECLINED, LATE, LOST, SLOW
from tests.simulation.shop_sown import MONEY, NARROW_SLOT, NO_SLOT, WIDE_SLOT

OPEN_S = 4.0
_CARDS = (APPROVED, APPROVED, APPROVED, DECLINED, SLOW, LATE, LOST, "4111111111111111")
_NAMES = tuple(MONEY)
_SAGAS = tuple(saga.name for saga in (place_order, place_in_parallel, place_by_tcc, buy_two_phase))


class Wanted(NamedTuple):
    """An order that somebody wants: `copies` of the request leave at the same moment, all with the same key.

    `cancel_s` after its acknowledgement it is taken back, if at all; `waits`: the client wants to hear of the end.
    `other`: with the same key comes a request for something else. `saga` names the definition that it goes by.
    """

    number: int
    at: float
    user: str
    items: tuple[tuple[str, int], ...]
    slot: str
    pay_with: str
    copies: int
    cancel_s: float | None
    waits: bool
    other: bool
    saga: str

    @property
    def key(self) -> str:
        return f"order-{self.number}"

    def body(self) -> bytes:
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in self.items]
        return msgspec.json.encode({"items": items, "slot": self.slot, "pay_with": self.pay_with})


class Paying(NamedTuple):
    """Money that somebody puts into a wallet."""

    number: int
    at: float
    user: str
    amount_minor: int
    copies: int

    @property
    def key(self) -> str:
        return f"deposit-{self.number}"


class Looking(NamedTuple):
    """A look at a wallet, and at what is left of a product."""

    at: float
    user: str
    sku: str


class Load(NamedTuple):
    """Everything that is intended in one run."""

    orders: Sequence[Wanted]
    deposits: Sequence[Paying]
    looks: Sequence[Looking]
    joining: bool
    correcting: bool
    spying: bool
    intruding: bool


def load_of(seed: int, orders: int) -> Load:
    random = Random(f"{seed} load")
    wanted = [_wanted(random, number) for number in range(orders)]
    deposits = [_paying(random, number) for number in range(orders // 4)]
    looks = [_looking(random) for _ in range(orders // 2)]
    return Load(wanted, deposits, looks, *[random.random() < share for share in (0.3, 0.5, 0.5, 0.1)])


def _wanted(random: Random, number: int) -> Wanted:
    return Wanted(
        number=number,
        at=random.random() * OPEN_S,
        user=random.choice(_NAMES),
        items=_items(random),
        slot=random.choices((WIDE_SLOT, NARROW_SLOT, NO_SLOT), (70, 24, 6))[0],
        pay_with="wallet" if random.random() < 0.55 else f"card:{random.choice(_CARDS)}",
        copies=random.choices((1, 2, 3), (70, 20, 10))[0],
        cancel_s=random.random() ** 2 * 10.0 if random.random() < 0.2 else None,
        waits=random.random() < 0.25,
        other=random.random() < 0.1,
        saga=random.choices(_SAGAS, (70, 10, 10, 10))[0],
    )


def _items(random: Random) -> tuple[tuple[str, int], ...]:
    chance = random.random()
    if chance < 0.45:
        return (("apple", random.randint(1, 5)),)
    if chance < 0.7:
        return (("bread", random.randint(1, 9)),)
    if chance < 0.9:
        return (("teapot", random.randint(1, 2)),)
    if chance < 0.97:
        return (("bread", random.randint(1, 4)), ("teapot", 1))
    return (("apple", 1), ("unheard-of", 1))


def _paying(random: Random, number: int) -> Paying:
    at, user, amount_minor = random.random() * 2 * OPEN_S, random.choice(_NAMES), random.randint(1, 5000)
    return Paying(number, at, user, amount_minor, random.choice((1, 1, 2)))


def _looking(random: Random) -> Looking:
    return Looking(random.random() * 3 * OPEN_S, random.choice(_NAMES), random.choice(("bread", "teapot")))
