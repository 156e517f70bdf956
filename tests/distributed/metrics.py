"""What a process counts of itself."""

import asyncio
from collections import Counter
from urllib.request import urlopen

from tools.distributed.service import ServiceProcess


async def told(service: ServiceProcess) -> Counter[str]:
    """How often it has emitted which signal since it started."""

    def read() -> str:
        with urlopen(f"{service.url}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    lines = [line for line in (await asyncio.to_thread(read)).splitlines() if line.startswith("amends_signals_total{")]
    return Counter({line.split('"')[1]: int(float(line.split()[-1])) for line in lines})
