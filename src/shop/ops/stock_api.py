"""HTTP: products, courier slots and money, set by hand."""

from typing import Annotated

import msgspec
from litestar import Response, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, PathParameter

from amends.pages import KeyScope
from shop.billing.api import MADE, REUSED, RUNNING, Depositable
from shop.billing.desk import BillingDesk
from shop.delivery import desk as delivery_desk
from shop.delivery.desk import DeliveryDesk
from shop.orders.desk import OrdersDesk, Product
from shop.orders.domain import normal_slot
from shop.warehouse import desk as warehouse_desk
from shop.warehouse.desk import WarehouseDesk
from shop.web import KeyHeader, Problem, ProblemDetails, respond

DEPOSITS = "/ops/wallets/{user_id:str}/deposits"
OPERATOR, SCOPE = "operator", "shop"
Sku = Annotated[str, PathParameter(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._~-]+$")]
Time = Annotated[str, PathParameter(max_length=35, format="date-time", description="RFC 3339, with an offset")]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
Couriers = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
RESERVED = ResponseSpec(ProblemDetails, description="More is reserved than would be on hand")
BOOKED = ResponseSpec(ProblemDetails, description="More couriers are booked than there would be")
NO_WALLET = ResponseSpec(ProblemDetails, description="There is no such wallet")


class ProductBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    price_minor: Count
    on_hand: Count


class ProductSet(msgspec.Struct, frozen=True):
    sku: str
    title: str
    price_minor: int
    on_hand: int


class SlotBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    couriers: Couriers


class SlotSet(msgspec.Struct, frozen=True):
    slot: str
    couriers: int


NEW_PRODUCT = ResponseSpec(ProductSet, description="It is new")
NEW_SLOT = ResponseSpec(SlotSet, description="It is new")


def product_routes(orders: OrdersDesk, warehouse: WarehouseDesk) -> list[HTTPRouteHandler]:
    """`/ops/products`."""

    @put("/ops/products/{sku:str}", responses={201: NEW_PRODUCT, 409: RESERVED})
    async def put_one(sku: Sku, data: JSONBody[ProductBody]) -> Response[ProductSet]:
        """Sets stock, then title and price: asked again after a crash in between, it does the rest."""
        if (await warehouse.put_stock({sku: data.on_hand}))[sku] is warehouse_desk.Put.REFUSED:
            raise Problem(409, "below-reserved", f"more of {sku!r} is reserved than {data.on_hand}")
        [created] = await orders.put_products([Product(sku, data.title, data.price_minor)], SCOPE)
        body = ProductSet(sku, data.title, data.price_minor, data.on_hand)
        return Response(body, status_code=201 if created else 200)

    return [put_one]


def slot_routes(delivery: DeliveryDesk, calendar: str) -> list[HTTPRouteHandler]:
    """`/ops/slots`."""

    @put("/ops/slots/{slot:str}", responses={201: NEW_SLOT, 409: BOOKED})
    async def put_one(slot: Time, data: JSONBody[SlotBody]) -> Response[SlotSet]:
        """Sets how many couriers a slot has, never below what is booked."""
        at = normal_slot(slot)
        if at is None:
            raise Problem(400, "bad-request", "slot: this is no RFC 3339 time, like 2034-05-26T16:00:00Z")
        became = (await delivery.put_slots(calendar, {at: data.couriers}))[at]
        if became is delivery_desk.Put.REFUSED:
            raise Problem(409, "below-booked", f"more couriers of {at} are booked than {data.couriers}")
        created = became is delivery_desk.Put.CREATED
        return Response(SlotSet(at, data.couriers), status_code=201 if created else 200)

    return [put_one]


def wallet_routes(billing: BillingDesk) -> list[HTTPRouteHandler]:
    """`/ops/wallets`."""

    @post(DEPOSITS, responses={201: MADE, 404: NO_WALLET, 409: RUNNING, 422: REUSED})
    async def deposit(user_id: FromPath[str], key: KeyHeader, data: JSONBody[Depositable]) -> Response[bytes]:
        """Puts money into a user's wallet, once a key."""
        scope = KeyScope(OPERATOR, "POST", DEPOSITS, key)
        return respond(await billing.deposit_once(scope, user_id, data.amount_minor))

    return [deposit]
