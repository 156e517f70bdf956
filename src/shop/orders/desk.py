"""What others may ask orders directly: place, look, follow, take back; the catalogue; the numbers of storefronts."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from amends.connections import Reader, Row, Tx
from amends.errors import AmendsError
from amends.history import Entry
from amends.idempotency import IdempotencyKeys, fingerprint
from amends.messages import SagaId
from amends.pages import Instance, KeyScope
from amends.service import Service
from amends.state import ENDED
from shop import papers
from shop.orders import tables
from shop.orders.cancelling import Cancelling
from shop.orders.domain import Wrong
from shop.orders.placing import OrderIntake, Placed, Placing
from shop.orders.tables import Order, Product
from shop.orders.views import OrderView, encode_view, view_of
from shop.orders.waiting import Waiting
from shop.web.keys import answer_once
from shop.web.problems import Answer, Problem

__all__ = ["News", "NumberedOrder", "Order", "OrderView", "OrdersDesk", "Placed", "Placing", "Product", "Wrong"]

_JSON = (b"content-type", b"application/json")


class News(msgspec.Struct, frozen=True):
    """Lines of a saga's history, and the order once the saga has ended."""

    entries: tuple[Entry, ...]
    end: OrderView | None


class NumberedOrder(NamedTuple):
    """An order under the number that its storefront gave it."""

    number: int
    order: Order
    saga: Instance | None
    details: str


class OrdersDesk:
    """Orders, for the shop's edges. `scope` says whose orders and products: the shop's own, or a storefront's."""

    def __init__(self, service: Service, intake: OrderIntake, waiting: Waiting) -> None:
        self._service = service
        self._storage = service.storage
        self._intake = intake
        self._waiting = waiting
        self._cancelling = Cancelling(service)
        self._keys = IdempotencyKeys(service.storage)

    async def place(self, placing: Placing) -> Placed | Wrong:
        """Returns when the order is durable. Raises `KeyReused`, `KeyInUse`, `Overloaded`, `Elsewhere`."""
        result = await self._intake.submit(placing)
        if isinstance(result, AmendsError):
            raise result
        return result

    async def ended(self, order_id: str, wait_s: float) -> OrderView | None:
        """An order once its saga has ended; None when that takes longer. Raises `Unavailable` when the shop closes."""

        async def look() -> OrderView | None:
            order, instance = await self._intake.look(order_id)
            return view_of(order, instance) if instance.state.status in ENDED else None

        return await self._waiting.until(look, SagaId(order_id), wait_s, ended=True)

    async def news(self, order_id: str, seen: int, wait_s: float) -> News | None:
        """What has happened to an order since line `seen` of its history; None: nothing. Raises `Unavailable`."""
        saga = SagaId(order_id)

        async def look() -> News | None:
            async with self._storage.reading() as reader:
                instance = (await self._storage.sagas.load(reader, [saga]))[saga]
                entries = instance.state.history[seen + 1 :]
                if instance.state.status in ENDED:
                    order = (await tables.load(reader, [order_id]))[order_id]
                    return News(entries, view_of(order, instance))
            return News(entries, None) if entries else None

        return await self._waiting.until(look, saga, wait_s)

    async def order(self, order_id: str, user_id: str) -> OrderView | None:
        """An order of the shop's own, as it stands; None for another's as for none at all."""
        async with self._storage.reading() as reader:
            order = await _own(reader, order_id, user_id)
            return None if order is None else await self._view(reader, order)

    async def orders_of(self, user_id: str, limit: int, after: str | None = None) -> list[OrderView]:
        """A user's orders, newest first; `after` is the id of the last one seen."""
        async with self._storage.reading() as reader:
            found = await tables.of_user(reader, user_id, limit, after)
            sagas = await self._storage.sagas.load(reader, [SagaId(order.id) for order in found])
        return [view_of(order, sagas[SagaId(order.id)]) for order in found]

    async def cancel(self, order_id: str, key: KeyScope) -> Answer | None:
        """Takes an order of the key's principal back; None when there is none. Raises `KeyReused`, `KeyInUse`."""

        async def cancel(tx: Tx) -> Answer | None:
            order = await _own(tx, order_id, key.principal)
            if order is None:
                return None
            return await answer_once(
                self._keys, tx, key, fingerprint(key.route.encode()), lambda: self._back(tx, order)
            )

        return await self._service.transact(cancel)

    async def cancel_saga(self, order_id: str) -> str | None:
        """The second saga of an order that was approved and is taken back."""
        async with self._storage.reading() as reader:
            return await tables.cancel_saga_of(reader, order_id)

    async def products(self, scope: str) -> list[Product]:
        """The catalogue, by sku."""
        async with self._storage.reading() as reader:
            return await tables.products(reader, scope)

    async def put_products(self, products: Sequence[Product], scope: str) -> list[bool]:
        """Writes products, in one transaction; True where one is new."""

        async def put(tx: Tx) -> list[bool]:
            return [await tables.put_product(tx, each, scope) for each in products]

        return await self._service.transact(put)

    async def add_product(self, title: str, scope: str) -> int:
        """A new product under the next number of its scope; its sku is `scope/number`."""

        async def add(tx: Tx) -> int:
            number = await tables.next_product(tx, scope)
            await tables.add_product(tx, Product(f"{scope}/{number}", title, 0), scope)
            return number

        return await self._service.transact(add)

    async def last_order(self, scope: str) -> NumberedOrder | None:
        """The newest order of a storefront, whosever it is."""
        async with self._storage.reading() as reader:
            return await self._numbered(reader, await reader.fetch(tables.last_number, (scope,)))

    async def numbered_order(self, scope: str, number: int) -> NumberedOrder | None:
        """An order of a storefront by its number there."""
        async with self._storage.reading() as reader:
            return await self._numbered(reader, await reader.fetch(tables.order_of_number, (scope, number)))

    async def order_in(self, scope: str, order_id: str) -> OrderView | None:
        """An order of a storefront by its id, as it stands."""
        async with self._storage.reading() as reader:
            order = (await tables.load(reader, [order_id])).get(order_id)
            return None if order is None or order.scope != scope else await self._view(reader, order)

    async def numbers(self, order_ids: Sequence[str]) -> dict[str, int]:
        """The numbers that storefronts gave to these orders."""
        async with self._storage.reading() as reader:
            return await tables.numbers_of(reader, order_ids)

    async def paper(self, scope: str, id: str) -> str | None:
        """What a storefront's client keeps here by hand under an id; None when there is nothing."""
        async with self._storage.reading() as reader:
            return await papers.find_paper(reader, scope, id)

    async def put_papers(self, scope: str, written: Mapping[str, str]) -> None:
        """Keeps new papers, by id, in one transaction."""
        await self._service.transact(lambda tx: papers.put_papers(tx, scope, written))

    async def change_paper(self, scope: str, id: str, body: str | None) -> bool:
        """Replaces a paper, or removes it when there is no body; False when there is none."""
        return await self._service.transact(lambda tx: papers.change_paper(tx, scope, id, body))

    async def _numbered(self, reader: Reader, rows: Sequence[Row]) -> NumberedOrder | None:
        if not rows:
            return None
        number, order_id, details = rows[0]
        order = (await tables.load(reader, [order_id]))[order_id]
        sagas = await self._storage.sagas.load(reader, [SagaId(order_id)])
        return NumberedOrder(number, order, sagas.get(SagaId(order_id)), details)

    async def _back(self, tx: Tx, order: Order) -> Answer:
        refused = await self._cancelling.cancel(tx, order)
        if isinstance(refused, Wrong):
            return Problem(409, refused.problem, refused.detail, saga_id=order.id).answer()
        taken_back = (await tables.load(tx, [order.id]))[order.id]
        return Answer(202, [_JSON], encode_view(await self._view(tx, taken_back)))

    async def _view(self, reader: Reader, order: Order) -> OrderView:
        saga = SagaId(order.id)
        return view_of(order, (await self._storage.sagas.load(reader, [saga]))[saga])


async def _own(reader: Reader, order_id: str, user_id: str) -> Order | None:
    order = (await tables.load(reader, [order_id])).get(order_id)
    return order if order is not None and order.user_id == user_id and order.scope == "shop" else None
