"""One order by saga, TCC and two-phase commit, for `amends compare place-order`: a composition root of its own.

Everybody buys one thing of his own to a time of his own, and pays from a wallet of his own: who waits for whom is up to
the pattern. Money comes together in one row, that of the revenue.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from amends.adapters.postgres.xa import XA_TABLES, XaParticipant, XaRunner, XaSettings
from amends.audit import Readers
from amends.comparison import Beside, Comparison, Part, Pattern, Place, Prepared
from amends.decisions import Decisions
from amends.messages import SagaId
from amends.ports import Runtime
from amends.service import Service
from amends.timers import Chore
from shop.app import app
from shop.billing.desk import BillingDesk
from shop.delivery.desk import DeliveryDesk
from shop.orders.placing import OrderIntake, Placed, Placing
from shop.orders.sagas import place_order
from shop.orders.tcc_saga import place_by_tcc
from shop.orders.two_phase_saga import buy_by_xa, buy_two_phase
from shop.participants import PARTICIPANTS
from shop.rooms import HOLDING, expiry_of
from shop.servers import Edge, Servers
from shop.warehouse.desk import WarehouseDesk
from shop.xa import VOTES, bound

ROOMS = ("orders", "billing", "warehouse", "delivery", "notifications")
SCOPE = "compare"
BUYERS = 40
PRICE_MINOR, MONEY_MINOR, PLENTY = 100, 10**9, 10**6

holds_that_stand = "select id, state from keys cross join holds where id = key and state in ('held', 'captured')"
reserved = """
select distinct order_id, exists (select 1 from held_orders where held_orders.order_id = reservations.order_id)
from keys cross join reservations where order_id = key
"""
booked = """
select order_id, exists (select 1 from held_orders where held_orders.order_id = bookings.order_id)
from keys cross join bookings where order_id = key
"""


def place_order_by_patterns() -> Comparison:
    """For `amends.app.App`."""
    return Comparison(
        coordinator="orders",
        databases={room: app.databases[room] for room in ROOMS},
        participants={room: PARTICIPANTS[room] for room in ROOMS},
        patterns=_patterns(),
        sow=sow,
        placing=placing,
        look=look,
        chores=chores,
        serve=serve,
    )


def _patterns() -> list[Pattern]:
    rooms = ("payment", "warehouse", "delivery")
    voted = {f"prepare {room}": f"commit {room}" for room in rooms}
    steps = ("hold money", "reserve stock", "book courier")
    voters = {name: bound(PARTICIPANTS[name]) for name in VOTES}
    voting = {name: xa.participant for name, xa in voters.items()}
    tables = {name: (*XA_TABLES, *vote.tables) for name, vote in VOTES.items()}
    return [
        Pattern("saga", place_order, dict.fromkeys(steps, "capture money"), {}),
        Pattern("TCC", place_by_tcc, {f"try {room}": f"confirm {room}" for room in rooms}, {}),
        Pattern("two-phase", buy_two_phase, voted, {}),
        Pattern("two-phase, prepared", buy_by_xa, voted, voting, Prepared(tables, _runner_of(voters))),
    ]


def _runner_of(voters: Mapping[str, XaParticipant]) -> Callable[[Service, str, Decisions], Beside]:
    def runner(service: Service, dsn: str, decisions: Decisions) -> XaRunner:
        settings = XaSettings(prepares=4, resolutions=4)
        return XaRunner(voters[service.name], service, dsn, settings, decisions=decisions)

    return runner


async def sow(services: Mapping[str, Service]) -> None:
    billing, delivery = BillingDesk(services["billing"]), DeliveryDesk(services["delivery"])
    runtime = services["billing"].runtime
    opening = [runtime.spawn(_give_money(billing, _buyer(nth)), _buyer(nth)) for nth in range(BUYERS)]
    for each in opening:  # beside each other they share commits
        await each.join()
    await WarehouseDesk(services["warehouse"]).put_stock({_sku(nth): PLENTY for nth in range(BUYERS)})
    await delivery.put_calendar(SCOPE, None)
    await delivery.put_slots(SCOPE, {_slot(nth): PLENTY for nth in range(BUYERS)})


async def _give_money(billing: BillingDesk, buyer: str) -> None:
    await billing.open_wallet(buyer, SCOPE)
    await billing.deposit(f"{buyer}/money", buyer, MONEY_MINOR)


@asynccontextmanager
async def placing(orders: Service, pattern: Pattern) -> AsyncIterator[Place]:
    """Through the intake of the orders room, as everybody's orders come."""
    intake = OrderIntake(orders)
    intake.start("orders to compare")

    async def place(nth: int) -> SagaId:
        placed = await intake.submit(_placing(nth, pattern.saga.name))
        assert isinstance(placed, Placed), placed
        return SagaId(placed.order_id)

    try:
        yield place
    finally:
        await intake.stop()


async def look(readers: Readers, ids: Sequence[SagaId]) -> list[Part]:
    """What a reader sees of orders: holds, reservations, bookings."""
    money = await readers["billing"].fetch_each(holds_that_stand, sorted(ids))
    stock = await readers["warehouse"].fetch_each(reserved, sorted(ids))
    couriers = await readers["delivery"].fetch_each(booked, sorted(ids))
    return [
        *(Part("billing", id, state == "held") for id, state in money),
        *(Part("warehouse", id, bool(held)) for id, held in stock),
        *(Part("delivery", id, bool(held)) for id, held in couriers),
    ]


def chores(service: Service) -> list[Chore]:
    """What was held and not confirmed in time goes by itself."""
    return [expiry_of(service).sweep] if service.name in HOLDING else []


@asynccontextmanager
async def serve(served: Callable[..., Awaitable[None]], runtime: Runtime) -> AsyncIterator[str]:
    async with AsyncExitStack() as stack:
        servers = Servers(runtime)
        stack.push_async_callback(servers.stop)
        yield await servers.start(Edge("participant", served), "127.0.0.1", 0)


def _placing(nth: int, saga: str) -> Placing:
    buyer = _buyer(nth % BUYERS)
    return Placing(
        key=None,
        fingerprint=b"",
        scope=SCOPE,
        user_id=buyer,
        email=f"{buyer}@example.com",
        wallet_id=buyer,
        items=((_sku(nth % BUYERS), 1),),
        calendar=SCOPE,
        slot=_slot(nth % BUYERS),
        pay_with="wallet",
        card="",
        price_minor=PRICE_MINOR,
        saga=saga,
    )


def _buyer(nth: int) -> str:
    return f"buyer-{nth}"


def _sku(nth: int) -> str:
    return f"item-{nth}"


def _slot(nth: int) -> str:
    return (datetime(2034, 5, 26, tzinfo=UTC) + timedelta(hours=nth)).strftime("%Y-%m-%dT%H:%M:%SZ")
