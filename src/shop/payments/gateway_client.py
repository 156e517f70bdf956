"""The card gateway as payments sees it, over HTTP/1.1: a connection a call, for it is far away and seldom asked."""

from urllib.parse import quote

import msgspec

from amends.ports import Runtime
from shop.http_client import HttpClient, NoAnswer
from shop.payments.domain import PaymentState, Wish
from shop.payments.gateway_wire import KEY_HEADER, Authorization, Record
from shop.payments.tables import CardOperation

_decode = msgspec.json.Decoder(Record).decode


class HttpGateway:
    """Asks the gateway at `url`; None from any call means: unknown, whatever the reason.

    `timeout_s` bounds one call from connecting to the last byte.
    """

    def __init__(self, url: str, runtime: Runtime, timeout_s: float = 3.0) -> None:
        self._url = url.rstrip("/")
        self._http = HttpClient(runtime)
        self._timeout_s = timeout_s

    async def carry_out(self, wanted: CardOperation) -> PaymentState | None:
        """Asks for an operation; returns what has become of the payment, which may be something else."""
        key = quote(wanted.payment_id, safe="")
        if wanted.wish is Wish.AUTHORIZE:
            body = msgspec.json.encode(Authorization(wanted.card or "", wanted.amount_minor, wanted.charge > 0))
            return await self._call("POST", "/authorizations", body, key)
        return await self._call("POST", f"/authorizations/{key}/{wanted.wish}")

    async def status(self, payment_id: str) -> PaymentState | None:
        """What has become of a payment; None also when the gateway has never seen it."""
        return await self._call("GET", f"/authorizations/{quote(payment_id, safe='')}")

    async def _call(self, method: str, path: str, body: bytes = b"", key: str = "") -> PaymentState | None:
        headers = {"connection": "close", "content-type": "application/json"} | ({KEY_HEADER: key} if key else {})
        try:
            status, told = await self._http.send(method, self._url + path, headers, body, self._timeout_s)
            return PaymentState(_decode(told).state) if status < 500 and status != 404 else None
        except (NoAnswer, msgspec.DecodeError):
            return None
