"""The card gateway as payments sees it, over HTTP/1.1, on as many connections as there are calls at once.

A connection is kept for the next call. The gateway may have closed it meanwhile: then the call is sent once more on a
new one, which is safe, for each has a key.
"""

from urllib.parse import quote

import msgspec

from amends.ports import Runtime
from shop.http_client import HttpClient, NoAnswer
from shop.payments.caller import AT_ONCE
from shop.payments.domain import PaymentState, Wish
from shop.payments.gateway_wire import KEY_HEADER, Authorization, Record
from shop.payments.tables import CardOperation

_decode = msgspec.json.Decoder(Record).decode


class HttpGateway:
    """Asks the gateway at `url`; None from any call means: unknown, whatever the reason.

    `timeout_s` bounds one call from connecting to the last byte; at most `keep` connections are kept.
    """

    def __init__(self, url: str, runtime: Runtime, timeout_s: float = 3.0, keep: int = AT_ONCE) -> None:
        self._url = url.rstrip("/")
        self._http = HttpClient(runtime, keep)
        self._timeout_s = timeout_s

    async def close(self) -> None:
        """No call may be under way."""
        await self._http.close()

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
        headers = {"content-type": "application/json", KEY_HEADER: key} if key else {}
        try:
            status, told = await self._http.send(
                method, self._url + path, headers, body, self._timeout_s, repeatable=True
            )
            return PaymentState(_decode(told).state) if status < 500 and status != 404 else None
        except (NoAnswer, msgspec.DecodeError):
            return None
