"""Desks of other processes: objects of the same type, whose methods call over HTTP."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import msgspec

from amends.ports import Runtime
from shop.calls.errors import AnswerLost, CallFailed, RoomUnavailable, error_of
from shop.calls.wire import Method, encode, methods_of
from shop.http_client import HttpClient, NoAnswer, NobodyThere
from shop.web.traces import TRACEPARENT

D = TypeVar("D")

TIMEOUT_S = 10.0
KEEP = 100
MOST_RESULT_BYTES = 64 * 1024 * 1024


class Client:
    """How a process calls others: its connections, the token of the shop's processes, its patience.

    A call may take `timeout_s` seconds, one that waits as much longer as it was asked to wait.
    """

    def __init__(self, runtime: Runtime, token: str, timeout_s: float = TIMEOUT_S) -> None:
        self._http = HttpClient(runtime, KEEP, MOST_RESULT_BYTES)
        self._headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self._timeout_s = timeout_s

    def let_go(self) -> None:
        """Whoever waits for something to happen elsewhere gets `Unavailable`: this process closes."""
        self._http.let_go()

    async def close(self) -> None:
        await self._http.close()

    async def call(self, url: str, method: Method, arguments: msgspec.Struct) -> Any:
        """The result. Raises `RoomUnavailable`, `AnswerLost`, `CallFailed`, and what the room raises."""
        address, trace = f"{url}/{method.name}", TRACEPARENT.get()
        headers = self._headers | {"traceparent": trace} if trace else self._headers
        wait_s = max(0.0, getattr(arguments, "wait_s", 0.0))
        try:
            status, body = await self._http.send(
                "POST", address, headers, encode(arguments), self._timeout_s + wait_s, waits=method.waits
            )
        except NobodyThere as error:
            raise RoomUnavailable(f"{address} can't be reached: {error}") from error
        except NoAnswer as error:
            raise AnswerLost(f"{address} may have been carried out: {error}") from error
        if status != 200:
            raise error_of(address, status, body)
        return _result(address, method, body)


def remote(desk: type[D], url: str, client: Client) -> D:
    """A desk of another process, which serves it at `url`.

    billing = remote(BillingDesk, "http://10.0.0.7:9000/calls/billing", client)
    balance = await billing.wallet("ann")
    """
    methods = {name: _calling(url, method, client) for name, method in methods_of(desk).items()}
    kind = type(f"Remote{desk.__name__}", (desk,), {**methods, "__init__": lambda _: None})
    made: D = kind()
    return made


def _calling(url: str, method: Method, client: Client) -> Callable[..., Any]:
    @wraps(method.function)
    async def call(_: object, *values: Any, **named: Any) -> Any:
        return await client.call(url, method, method.arguments(*values, **named))

    return call


def _result(address: str, method: Method, body: bytes) -> Any:
    try:
        return method.decode_result(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CallFailed(f"{address}: the result is not what it has to be: {error}") from error
