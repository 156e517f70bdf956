"""The HTTP transport passes the transport suite: every message goes to a server and comes back as one of its inbox."""

from collections.abc import AsyncIterator

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.http import HttpTransport, inbox_app
from amends.adapters.inprocess import InProcess
from amends.conformance import transport_suite
from amends.ports import Transport
from amends.signals import Signals
from tests.amends.adapters.http_server import serving

ADDRESSES = ["hotel", "hotel.events", "nobody listens", *[f"address-{number}" for number in range(5)]]

TestTransport = transport_suite.TestTransport


@pytest.fixture(params=[1, 4], ids="lanes={}".format)
async def transport(request: pytest.FixtureRequest) -> AsyncIterator[Transport]:
    local = InProcess()
    async with serving(inbox_app(local, ADDRESSES, patience_s=0.2)) as url:
        routes = dict.fromkeys(ADDRESSES, url)
        transport = HttpTransport(routes, local, AsyncioRuntime(), Signals(), lanes=request.param)
        yield transport
        transport.close()
