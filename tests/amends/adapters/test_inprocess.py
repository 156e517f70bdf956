"""The in-process transport passes the transport suites, and says when what was sent has been taken."""

import asyncio

import pytest

from amends.adapters.inprocess import InProcess
from amends.conformance import in_memory_suite, transport_suite
from amends.conformance.fixtures import envelope
from amends.ports import Transport

TestTransport = transport_suite.TestTransport
TestInMemoryTransport = in_memory_suite.TestInMemoryTransport


@pytest.fixture
def transport() -> Transport:
    return InProcess()


async def test_who_waits_goes_on_when_no_more_messages_than_it_allows_are_left() -> None:
    transport = InProcess()
    queue = transport.subscribe("hotel")
    transport.send([envelope(f"m{number}") for number in range(3)], lambda _: None)
    all_but_one, all_of_them = (asyncio.ensure_future(transport.drained(left)) for left in (1, 0))
    await transport.drained(3)
    for left, done in ((2, (False, False)), (1, (True, False)), (0, (True, True))):
        await queue.acknowledge(await queue.receive(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (all_but_one.done(), all_of_them.done()) == done, left
