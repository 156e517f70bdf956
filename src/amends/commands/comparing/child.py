"""The process that is killed: it places sagas that its coordinator can't decide. Says their ids, then waits.

python -m amends.commands.comparing.child < task.json
"""

import asyncio
import sys

import msgspec

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.cli import load_app
from amends.commands.comparing.kill import Task
from amends.commands.comparing.world import opened


async def main(task: Task) -> None:
    comparison = load_app(task.app).comparisons[task.name]()
    [pattern] = [each for each in comparison.patterns if each.name == task.pattern]
    runtime = AsyncioRuntime()
    async with opened(comparison, pattern, task.where, runtime, withheld=True) as world:
        await comparison.sow(world.services)
        async with comparison.placing(world.home, pattern) as place:
            ids = [await place(nth) for nth in range(task.sagas)]
            print(msgspec.json.encode(ids).decode(), flush=True)
            await runtime.signal().wait()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)))
