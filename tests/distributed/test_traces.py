"""One trace over processes: HTTP in one, commands by Kafka to all others, replies back."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.distributed.running import RunningShop
from tests.distributed.test_journey import joined
from tests.otlp import Received, Receiver, tree
from tests.system.people import Operator, order_of
from tests.system.test_telemetry import APPROVED, shape

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

SLOT = "2034-09-01T08:00:00Z"
TRACE = "5af7651916cd43dd8448eb211c80319c"


async def test_order_is_one_trace_over_all_processes(
    shop: RunningShop, operator: Operator, collector: Receiver
) -> None:
    buyer = await joined(shop, operator, "traced")
    connection = buyer.connection()
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    await connection.ask("POST", "/api/orders", order_of("kettle", SLOT, 1), key="traced", headers=headers)
    connection.close()
    names = {"payer": "billing", "hold": "billing.HoldMoney", "capture": "billing.CaptureMoney"}
    wanted = shape(APPROVED, **names)

    def is_whole(spans: Sequence[Received]) -> bool:
        return len(of_trace(spans)) >= len(wanted)

    spans = of_trace(await asyncio.to_thread(collector.wait, is_whole))
    assert sorted(tree(spans)) == wanted


def of_trace(spans: Sequence[Received]) -> list[Received]:
    return [span for span in spans if span.trace_id == TRACE]
