"""Suites that every adapter has to pass; shipped, so that an adapter of your own passes the same ones.

They are plain classes of pytest tests (pytest with pytest-asyncio, `asyncio_mode = auto`). The module that tests an
adapter takes them over by name and supplies one fixture. A storage:

    import pytest
    from amends.conformance import messages_suite, pages_suite, sagas_suite, transactions_suite
    from amends.conformance import fixtures

    storage = fixtures.storage              # a migrated, empty one; made by `open_storage`
    TestSagas = sagas_suite.TestSagas
    TestOutbox = messages_suite.TestOutbox
    ...

    @pytest.fixture
    def open_storage(tmp_path) -> fixtures.OpenStorage:
        async def open(migrations):         # each call opens the test's own database anew
            return MyStorage(tmp_path / "conformance.db", migrations)
        return open

A transport supplies `transport`; one that keeps messages in memory only takes `in_memory_suite` over, too.

    from amends.conformance import transport_suite
    TestTransport = transport_suite.TestTransport

    @pytest.fixture
    def transport() -> Transport:
        return MyTransport(...)

`tests/amends/adapters/` of this project holds the modules for its own adapters.
"""

import pytest

pytest.register_assert_rewrite(
    "amends.conformance.in_memory_suite",
    "amends.conformance.messages_suite",
    "amends.conformance.pages_suite",
    "amends.conformance.sagas_suite",
    "amends.conformance.transactions_suite",
    "amends.conformance.transport_suite",
)
