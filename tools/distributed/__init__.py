"""The distributed shop on one machine, without containers: real servers, and a process for each service.

async with Distributed(folder) as shop:
    await shop.services["billing"].kill()
    await shop.services["billing"].start()
"""

from tools.distributed.service import ServiceProcess
from tools.distributed.shop import Distributed, Options

__all__ = ["Distributed", "Options", "ServiceProcess"]
