"""The in-process transport passes the transport suites."""

import pytest

from amends.adapters.inprocess import InProcess
from amends.conformance import in_memory_suite, transport_suite
from amends.ports import Transport

TestTransport = transport_suite.TestTransport
TestInMemoryTransport = in_memory_suite.TestInMemoryTransport


@pytest.fixture
def transport() -> Transport:
    return InProcess()
