"""The card gateway: an external provider, simulated, with its own database and its own idempotency keys.

| request                               | answer                                                                    |
|---------------------------------------|---------------------------------------------------------------------------|
| `POST /authorizations`                | 201 taken, 402 declined, 409 voided before; 422 key of another body       |
| `POST /authorizations/{key}/capture`  | 200 captured; 409 in another state; 404 never seen                        |
| `POST /authorizations/{key}/void`     | 200 nothing is held, now and later, even when never seen; 409 captured    |
| `POST /authorizations/{key}/refund`   | 200 refunded; 409 in another state, never seen: refused from now on       |
| `GET /authorizations/{key}`           | 200; 404 never seen                                                       |

`POST /authorizations` takes its key from the header `Idempotency-Key`. The body of 200, 201, 402 and 409 is a `Record`.
Each call may be repeated. Numbers that are not in `gateway_wire` are declined.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Litestar, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import ClientException, NotFoundException
from litestar.params import FromPath, HeaderParameter, JSONBody

from amends.ports import Runtime, Signal, Storage
from shop.payments import gateway_tables
from shop.payments.gateway_wire import APPROVED, KEY_HEADER, LATE, LOST, SLOW, Authorization, Outcome, Record

_MOST_BYTES = 64 * 1024
_TAKES_MONEY = frozenset({APPROVED, SLOW, LATE, LOST})
_STATUS = {"authorized": 201, "captured": 201, "refunded": 409, "voided": 409, "declined": 402}

HeaderKey = Annotated[str, HeaderParameter(name=KEY_HEADER, min_length=1, max_length=200)]


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway misbehaves. `flaky` is the share, from 0 to 1, of calls answered with 503.

    Half of those have been carried out all the same. `slow_s` and `late_s` belong to the test numbers.
    """

    slow_s: float = 2.0
    late_s: float = 8.0
    flaky: float = 0.0


class Gateway:
    """Keeps the money: every answer is durable before it leaves."""

    def __init__(self, storage: Storage, runtime: Runtime, settings: GatewaySettings, closing: Signal) -> None:
        self._storage = storage
        self._runtime = runtime
        self._settings = settings
        self._closing = closing

    async def answer(self, work: Callable[[], Awaitable[Response[Any]]]) -> Response[Any]:
        """Flaky on request: before the work, or after it."""
        chance = self._runtime.roll()
        if chance < self._settings.flaky / 2:
            return _failed(503)
        done = await work()
        return _failed(503) if chance < self._settings.flaky else done

    async def status(self, key: str) -> Response[Any]:
        record = await self._find(key)
        return _reached(record, *_STATUS)

    async def authorize(self, key: str, wanted: Authorization) -> Response[Any]:
        if wanted.card == SLOW and await self._find(key) is None:
            await self._linger(self._settings.slow_s)
        record, new = await self._open(key, wanted)
        if (record.card_last4, record.amount_minor) != _shown(wanted) and record.amount_minor:
            raise ClientException(f"{KEY_HEADER} {key!r} belongs to another authorization", status_code=422)
        if new and wanted.card == LATE:
            await self._linger(self._settings.late_s)
        return _failed(500) if new and wanted.card == LOST else Response(record, status_code=_STATUS[record.state])

    async def capture(self, key: str) -> Response[Any]:
        async with self._storage.transaction(self._runtime.now()) as tx:
            await gateway_tables.move(tx, key, "authorized", "captured")
            return _reached(await gateway_tables.find(tx, key), "captured")

    async def void(self, key: str) -> Response[Any]:
        async with self._storage.transaction(self._runtime.now()) as tx:
            await gateway_tables.insert(tx, _tombstone(key))
            await gateway_tables.move(tx, key, "authorized", "voided")
            return _reached(await gateway_tables.find(tx, key), "voided", "declined", "refunded")

    async def refund(self, key: str) -> Response[Any]:
        async with self._storage.transaction(self._runtime.now()) as tx:
            await gateway_tables.insert(tx, _tombstone(key))
            await gateway_tables.move(tx, key, "captured", "refunded")
            return _reached(await gateway_tables.find(tx, key), "refunded")

    async def _linger(self, seconds: float) -> None:
        """No longer than the gateway is open."""
        await self._runtime.within(seconds, self._closing.wait())

    async def _find(self, key: str) -> Record | None:
        async with self._storage.reading() as reader:
            return await gateway_tables.find(reader, key)

    async def _open(self, key: str, wanted: Authorization) -> tuple[Record, bool]:
        taken: Outcome = "captured" if wanted.capture else "authorized"
        state: Outcome = taken if wanted.card in _TAKES_MONEY else "declined"
        opened = Record(key, state, *_shown(wanted))
        async with self._storage.transaction(self._runtime.now()) as tx:
            new = await gateway_tables.insert(tx, opened)
            return await gateway_tables.find(tx, key) or opened, new


def gateway_app(
    storage: Storage, runtime: Runtime, settings: GatewaySettings | None = None, closing: Signal | None = None
) -> Litestar:
    """The gateway as an ASGI application; `storage` is its own, with `gateway_tables.MIGRATIONS` applied.

    Once `closing` is set it answers without delay.
    """
    gateway = Gateway(storage, runtime, settings or GatewaySettings(), closing or runtime.signal())
    return Litestar(
        [authorize, capture, void, refund, status, health],
        dependencies={"gateway": Provide(lambda: gateway, sync_to_thread=False)},
        request_max_body_size=_MOST_BYTES,
        openapi_config=None,
        logging_config=None,
    )


@post("/authorizations")
async def authorize(data: JSONBody[Authorization], key: HeaderKey, gateway: NamedDependency[Gateway]) -> Response[Any]:
    return await gateway.answer(lambda: gateway.authorize(key, data))


@post("/authorizations/{key:str}/capture")
async def capture(key: FromPath[str], gateway: NamedDependency[Gateway]) -> Response[Any]:
    return await gateway.answer(lambda: gateway.capture(key))


@post("/authorizations/{key:str}/void")
async def void(key: FromPath[str], gateway: NamedDependency[Gateway]) -> Response[Any]:
    return await gateway.answer(lambda: gateway.void(key))


@post("/authorizations/{key:str}/refund")
async def refund(key: FromPath[str], gateway: NamedDependency[Gateway]) -> Response[Any]:
    return await gateway.answer(lambda: gateway.refund(key))


@get("/authorizations/{key:str}")
async def status(key: FromPath[str], gateway: NamedDependency[Gateway]) -> Response[Any]:
    return await gateway.answer(lambda: gateway.status(key))


@get(["/healthz", "/readyz"])
async def health() -> dict[str, str]:
    return {"status": "ok"}


def _shown(wanted: Authorization) -> tuple[str, int]:
    return wanted.card[-4:], wanted.amount_minor


def _tombstone(key: str) -> Record:
    """A key never seen: an authorization that comes later is refused."""
    return Record(key, "voided", "", 0)


def _reached(record: Record | None, *wanted: str) -> Response[Any]:
    if record is None:
        raise NotFoundException("no authorization has this key")
    return Response(record, status_code=200 if record.state in wanted else 409)


def _failed(status_code: int) -> Response[Any]:
    return Response({"detail": "try again, or ask for the status"}, status_code=status_code)
