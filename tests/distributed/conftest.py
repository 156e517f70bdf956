"""One distributed shop for all tests of a session: to start it takes longer than most of them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.distributed.running import RunningShop
from tests.otlp import Receiver, receiving
from tests.servers import require
from tests.system.people import Operator
from tests.system.shop_process import ShopProcess
from tools.distributed import Distributed, Options
from tools.servers import missing_for_kafka, missing_for_postgres
from tools.servers.postgres import programs

COPIES = (("orders", 1), ("billing", 1), ("warehouse", 1))
SESSION_S = 1.5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Chaos comes last: it leaves much behind."""
    items.sort(key=lambda item: item.get_closest_marker("chaos") is not None)


@pytest.fixture(scope="session")
def collector() -> Iterator[Receiver]:
    """Every process sends the traces there that a test has begun, and no others."""
    with receiving() as receiver, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        environment.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
        yield receiver


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shop(tmp_path_factory: pytest.TempPathFactory, collector: Receiver) -> AsyncIterator[RunningShop]:
    """Debezium reads billing's outbox; proxies are on the ways to PostgreSQL and to Kafka."""
    require(missing_for_kafka() or missing_for_postgres(max(programs(), default=18)))
    options = Options(copies=COPIES, session_s=SESSION_S, proxied=True, faults=True)
    async with Distributed(tmp_path_factory.mktemp("distributed"), options) as servers:
        running = RunningShop(servers)
        yield running
        await running.close()


@pytest.fixture
def operator(shop: RunningShop) -> Operator:
    return Operator(shop)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def embedded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShopProcess]:
    """The shop as one process, to compare."""
    process = ShopProcess(tmp_path_factory.mktemp("embedded") / "data")
    await process.start("--ports", "auto", "--quiet")
    yield process
    await process.stop()
