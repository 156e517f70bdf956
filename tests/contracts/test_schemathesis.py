"""What the OpenAPI documents promise, the edges of a running shop keep: schemathesis asks, with right and wrong data.

The requests are the same every time: the seed is fixed. `AMENDS_CONTRACT_EXAMPLES` sets how many for each operation,
`AMENDS_CONTRACT_SECONDS` how long an edge is asked at most.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shop.settings import PORTS
from tests.system.people import Operator, buyers, order_of
from tests.system.shop_process import ShopProcess

COMMAND = Path(sys.executable).with_name("schemathesis")
EXAMPLES = int(os.environ.get("AMENDS_CONTRACT_EXAMPLES", "") or 6)
SEED, MOST_S = 20_340_526, int(os.environ.get("AMENDS_CONTRACT_SECONDS", "") or 5)
SLOT = "2034-09-01T08:00:00Z"
DOCUMENTS = {"api": "/api/openapi.json", "ops": "/ops/openapi.json", "queue-saga": "/openapi.json"}
DOCUMENTS |= {"parallel-saga": "/openapi.json", "two-phase": "/openapi.json", "idempotent-orders": "/openapi.json"}
DOCUMENTS |= {name: "/openapi.json" for name in PORTS if name.startswith("pivot-saga")}
NOT_MEANT = (
    "positive_data_acceptance",  # well-formed isn't all: slots have to be times, keys be new, 1.0 is no count of pieces
    "allow_header_conformance",  # the framework's answers to OPTIONS name one method of a path
)
OPTIONS = (
    *("--seed", str(SEED), "--max-examples", str(EXAMPLES), "--max-time", str(MOST_S)),
    *("--exclude-checks", ",".join(NOT_MEANT)),
    *("--generation-deterministic", "--continue-on-failure", "--no-color"),
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Shop(NamedTuple):
    """A running shop in which something was sold."""

    process: ShopProcess
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    process = ShopProcess(tmp_path_factory.mktemp("shop") / "data")
    try:
        yield asyncio.run(furnish(process))
    finally:
        asyncio.run(process.stop())


async def furnish(process: ShopProcess) -> Shop:
    await process.start("--ports", "auto", "--quiet")
    operator = Operator(process)
    await operator.put_product("lamp", 100, 1_000)
    await operator.put_slot(SLOT, 1_000)
    [buyer] = await buyers(process, 1, 10**9)
    await buyer.ask("POST", "/api/orders", order_of("lamp", SLOT), key="first")
    await operator.settle()
    return Shop(process, {"api": buyer.token, "idempotent-orders": buyer.token, "ops": process.token})


@pytest.mark.parametrize("edge", DOCUMENTS)
def test_edge_is_as_its_document_says(shop: Shop, edge: str, tmp_path: Path) -> None:
    address = f"{shop.process.addresses[edge]}{DOCUMENTS[edge]}"
    token = shop.tokens.get(edge)
    header = ("--header", f"Authorization: Bearer {token}") if token else ()
    ran = subprocess.run(
        [COMMAND, "run", address, *OPTIONS, *header], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    print(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert shop.process.running
    asyncio.run(Operator(shop.process).check())
