"""Placing orders: many buyers' orders in one transaction — keys, prices, orders, sagas, first commands."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from amends.connections import Tx
from amends.coordinator import Begin, Coordinator
from amends.errors import CommitUnknown, KeyInUse, KeyReused, Overloaded, Unavailable
from amends.idempotency import RUNNING, judge
from amends.intake import Intake
from amends.messages import SagaId
from amends.pages import Instance, KeyScope, StoredAnswer
from amends.rest import AT_ONCE, Rest
from amends.retry import Retry
from amends.service import Service
from shop.orders import tables
from shop.orders.definitions import PLACING
from shop.orders.domain import Status, Wrong, masked, priced, total_minor
from shop.orders.sagas import Purchase, place_order
from shop.orders.tables import Item, Order
from shop.orders.telling import tell_begun
from shop.orders.views import encode_view, first_view, view_of
from shop.warehouse.contract import StockLine

ACCEPTED, REFUSED = 202, 422
_FIND_OUT = Retry(attempts=8, base_s=0.05, cap_s=2.0)


class Placing(NamedTuple):
    """A checked request. `key` None: its clients have no idempotency keys.

    `price_minor` is given where a dialect's clients name the price, `prices` where they name each item's; `details`
    where orders get small numbers; `order_id` is made here when it is empty. `saga` names one of `PLACING`.
    """

    key: KeyScope | None
    fingerprint: bytes
    scope: str
    user_id: str
    email: str
    wallet_id: str
    items: tuple[tuple[str, int], ...]
    calendar: str
    slot: str
    pay_with: str
    card: str
    price_minor: int | None = None
    traceparent: str = ""
    details: str | None = None
    order_id: str = ""
    prices: tuple[int, ...] = ()
    saga: str = place_order.name


class Placed(NamedTuple):
    """An order that is durable; `body` is its first view as JSON."""

    order_id: str
    body: bytes
    replayed: bool = False
    number: int = 0


Result = Placed | Wrong | KeyReused | KeyInUse | Overloaded


class OrderIntake:
    """Takes orders; what arrives together is committed together.

    `after` is waited for before each batch, `rest` follows it; batches may be `overlapping`: see `Intake`.
    """

    def __init__(
        self,
        service: Service,
        after: Callable[[int], Awaitable[None]] | None = None,
        rest: Rest = AT_ONCE,
        *,
        overlapping: bool = False,
    ) -> None:
        assert service.coordinator is not None
        self._coordinator: Coordinator = service.coordinator
        self._storage = service.storage
        self._runtime = service.runtime
        self._intake: Intake[Placing, Result] = Intake(
            self._place, service.runtime, after, rest=rest, overlapping=overlapping
        )
        self._looks: Intake[str, tuple[Order, Instance]] = Intake(self._look, service.runtime)
        self.submit = self._intake.submit
        self.new_id = service.coordinator.new_id
        self.look = self._looks.submit

    def start(self, name: str) -> None:
        self._intake.start(name)
        self._looks.start(f"{name}, looks")

    async def stop(self) -> None:
        await self._intake.stop()
        await self._looks.stop()

    async def _look(self, ids: Sequence[str]) -> list[tuple[Order, Instance]]:
        """Orders as they stand; who was told at the same time reads together. Raises `LookupError`."""
        async with self._storage.reading() as reader:
            orders = await tables.load(reader, ids)
            sagas = await self._storage.sagas.load(reader, [SagaId(id) for id in ids])
        return [(orders[id], sagas[SagaId(id)]) for id in ids]

    async def _place(self, placings: Sequence[Placing]) -> list[Result]:
        """When the database goes away during the commit, the orders' ids tell what came of it."""
        named = [each if each.order_id else each._replace(order_id=self._coordinator.new_id()) for each in placings]
        try:
            return await self._place_once(named)
        except CommitUnknown as error:
            return await self._find_out(named, error)

    async def _find_out(self, placings: Sequence[Placing], error: CommitUnknown) -> list[Result]:
        """Places what was not placed; gives up while the database stays away: a client's key asks again."""
        for attempt in range(1, _FIND_OUT.attempts):
            await self._runtime.sleep(_FIND_OUT.pause_s(attempt, 1.0))
            with suppress(Unavailable):
                async with self._storage.reading() as reader:
                    placed = await tables.load(reader, [each.order_id for each in placings])
                    numbers = await tables.numbers_of(reader, list(placed))
                missing = iter(await self._place_once([each for each in placings if each.order_id not in placed]))
                return [_as_placed(placed, numbers, each.order_id) or next(missing) for each in placings]
        raise error

    async def _place_once(self, placings: Sequence[Placing]) -> list[Result]:
        async with self._storage.transaction(self._runtime.now()) as tx:
            known = await self._known_keys(tx, placings)
            prices = await self._prices(tx, placings)
            batch = Batch(tx.now, known, prices, self._coordinator.room)
            for placing in placings:
                batch.add(placing)
            await self._number(tx, batch)
            instances: dict[str, Instance] = {}
            for name, begins in batch.begins().items():
                await tell_begun(tx, name, begins)
                begun = await self._coordinator.start(tx, PLACING[name], begins)
                instances |= {each.id: each for each in begun}
            await tables.insert_orders(tx, batch.orders)
            batch.render(instances)
            await self._store(tx, batch.answers, known)
            await self._render_replayed(tx, batch)
        return batch.results

    async def _store(
        self, tx: Tx, answers: Sequence[tuple[KeyScope, StoredAnswer]], known: Collection[KeyScope]
    ) -> None:
        """A known key that is answered only now had been claimed by a request that crashed: it is taken over."""
        await self._storage.keys.insert(tx, [pair for pair in answers if pair[0] not in known])
        for key, answer in answers:
            if key in known:
                await self._storage.keys.replace(tx, key, answer)

    async def _render_replayed(self, tx: Tx, batch: "Batch") -> None:
        """The first view of an order is made from its row again: it is not worth storing twice."""
        for at, order_id in batch.replayed:
            order = (await tables.load(tx, [order_id]))[order_id]
            batch.results[at] = Placed(order_id, encode_view(first_view(order)), replayed=True)

    async def _known_keys(self, tx: Tx, placings: Sequence[Placing]) -> dict[KeyScope, StoredAnswer]:
        return await self._storage.keys.known(tx, [each.key for each in placings if each.key is not None])

    async def _prices(self, tx: Tx, placings: Sequence[Placing]) -> dict[tuple[str, str], int]:
        """The shop's prices of everything in the batch, by (scope, sku)."""
        wanted: dict[str, set[str]] = {}
        for placing in placings:
            wanted.setdefault(placing.scope, set()).update(sku for sku, _ in placing.items)
        prices: dict[tuple[str, str], int] = {}
        for scope, skus in wanted.items():
            for sku, price, owner in await tx.fetch_each(tables.load_prices, sorted(skus)):
                if owner == scope:
                    prices[scope, sku] = price
        return prices

    async def _number(self, tx: Tx, batch: "Batch") -> None:
        """Storefronts with small growing ids get the next ones."""
        for scope, details in sorted(batch.details.items()):
            batch.numbers |= await tables.number_orders(tx, scope, details)


class Batch:
    """What one transaction places: results in the order of the requests."""

    def __init__(
        self, now: float, known: Mapping[KeyScope, StoredAnswer], prices: Mapping[tuple[str, str], int], room: int
    ) -> None:
        self.orders: list[Order] = []
        self.answers: list[tuple[KeyScope, StoredAnswer]] = []
        self.results: list[Result] = []
        self.details: dict[str, dict[str, str]] = {}
        self.numbers: dict[str, int] = {}
        self.replayed: list[tuple[int, str]] = []
        self._now = now
        self._known = known
        self._prices = prices
        self._room = room
        self._fresh: list[tuple[int, Placing]] = []
        self._first: dict[KeyScope, tuple[int, bytes]] = {}
        self._again: list[tuple[int, int]] = []

    def add(self, placing: Placing) -> None:
        """Decides one request; the view of a fresh order follows with `render`."""
        at = len(self.results)
        result = self._decide(placing, at)
        self.results.append(result)
        if placing.key is not None and isinstance(result, Wrong) and not self._answered(placing.key):
            self._first.setdefault(placing.key, (at, placing.fingerprint))

    def begins(self) -> dict[str, list[Begin]]:
        """What begins, by the saga's name, now that the orders have their numbers."""
        begun: dict[str, list[Begin]] = {}
        for order, (_, placing) in zip(self.orders, self._fresh, strict=True):
            bought = purchase(order, placing, self.numbers.get(order.id, 0))
            begun.setdefault(placing.saga, []).append(Begin(SagaId(order.id), bought, placing.traceparent))
        return begun

    def render(self, instances: Mapping[str, Instance]) -> None:
        """Makes the answers, now that the sagas have begun."""
        for order, (at, placing) in zip(self.orders, self._fresh, strict=True):
            body = encode_view(view_of(order, instances[order.id]))
            self.results[at] = Placed(order.id, body, number=self.numbers.get(order.id, 0))
            if placing.key is not None:
                stored = StoredAnswer(placing.fingerprint, ACCEPTED, order.id.encode(), b"", 0.0)
                self.answers.append((placing.key, stored))
        for key, (at, fingerprint) in self._first.items():
            refused = self.results[at]
            if isinstance(refused, Wrong):
                name, detail = refused.problem.encode(), refused.detail.encode()
                self.answers.append((key, StoredAnswer(fingerprint, REFUSED, name, detail, 0.0)))
        for at, first in self._again:
            result = self.results[first]
            self.results[at] = result._replace(replayed=True) if isinstance(result, Placed) else result

    def _decide(self, placing: Placing, at: int) -> Result:
        if placing.key is not None:
            repeated = self._repeated(placing.key, placing.fingerprint, at)
            if repeated is not None:
                return repeated
        total = self._total(placing)
        if isinstance(total, Wrong):
            return total
        if len(self.orders) >= self._room:
            return Overloaded("too many orders are in flight: come back", retry_after_s=1.0)
        self._open(placing, total, at)
        return Placed(placing.order_id, b"")

    def _answered(self, key: KeyScope) -> bool:
        return key in self._known and self._known[key].status != RUNNING

    def _repeated(self, key: KeyScope, fingerprint: bytes, at: int) -> Result | None:
        """The stored answer, or that of an earlier request in this very batch."""
        first = self._first.get(key)
        if first is not None:
            if first[1] != fingerprint:
                return KeyReused("this idempotency key was used for another request: make a new key for a new intent")
            self._again.append((at, first[0]))
            return Placed("", b"")
        try:
            stored = judge(self._known.get(key), fingerprint, self._now)
        except (KeyReused, KeyInUse) as error:
            return error
        if stored is None:
            return None
        if stored.status == REFUSED:
            return Wrong(stored.headers.decode(), stored.body.decode())
        self.replayed.append((at, stored.headers.decode()))
        return Placed("", b"")

    def _total(self, placing: Placing) -> int | Wrong:
        if placing.price_minor is not None:
            return placing.price_minor
        if placing.prices:
            return priced(placing.items, placing.prices)
        prices = {sku: self._prices[placing.scope, sku] for sku, _ in placing.items if self._has(placing.scope, sku)}
        return total_minor(placing.items, prices)

    def _has(self, scope: str, sku: str) -> bool:
        return (scope, sku) in self._prices

    def _open(self, placing: Placing, total: int, at: int) -> None:
        scope = placing.scope
        prices = placing.prices or [self._prices.get((scope, sku), 0) for sku, _ in placing.items]
        items = tuple(Item(sku, count, price) for (sku, count), price in zip(placing.items, prices, strict=True))
        order = Order(
            placing.order_id,
            scope,
            placing.user_id,
            placing.email,
            Status.PENDING,
            None,
            items,
            total,
            placing.calendar,
            placing.slot,
            masked(placing.pay_with),
            self._now,
        )
        self.orders.append(order)
        self._fresh.append((at, placing))
        if placing.key is not None:
            self._first[placing.key] = (at, placing.fingerprint)
        if placing.details is not None:
            self.details.setdefault(scope, {})[order.id] = placing.details


def _as_placed(placed: Mapping[str, Order], numbers: Mapping[str, int], id: str) -> Placed | None:
    order = placed.get(id)
    return None if order is None else Placed(id, encode_view(first_view(order)), number=numbers.get(id, 0))


def purchase(order: Order, placing: Placing, number: int) -> Purchase:
    """What the order's saga knows of it."""
    return Purchase(
        order.id,
        order.user_id,
        order.email,
        tuple(StockLine(item.sku, item.quantity) for item in order.items),
        order.total_minor,
        order.calendar,
        order.slot,
        placing.wallet_id,
        placing.card,
        number,
        placing.details or "",
    )
