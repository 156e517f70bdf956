"""Runs the Postman collections with newman, twice in a row, and checks the shop's data afterwards."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import urlsplit

from tools.postman import newman, shops
from tools.postman.collections import COLLECTIONS
from tools.postman.items import Collection
from tools.postman.shops import Shop, ShopFailed

TIMES = 2
NAMES = [each.name for each in COLLECTIONS]


def parser() -> argparse.ArgumentParser:
    described = argparse.ArgumentParser(prog="python -m tools.postman", description=__doc__)
    described.add_argument("--only", choices=NAMES, metavar="NAME", help=f"one collection of: {', '.join(NAMES)}")
    where = described.add_mutually_exclusive_group()
    where.add_argument("--against", type=Path, metavar="DIR", help="the shop that runs on this data folder")
    where.add_argument(
        "--distributed", action="store_true", help="a process for each service, with PostgreSQL and Kafka"
    )
    described.add_argument("--times", type=int, default=TIMES, metavar="N", help=f"how often ({TIMES})")
    return described


def variables_of(collection: Collection, shop: Shop) -> dict[str, str]:
    """What a collection has to be told of a shop. Raises `ShopFailed` for an edge that isn't there."""
    places = {variable: _place(shop.addresses, edge) for variable, edge in collection.ports.items()}
    [host] = {host for host, _ in places.values()}
    told = {"baseUrl": host} | {variable: str(port) for variable, (_, port) in places.items()}
    return told | ({"operatorToken": shop.token} if collection.operator else {})


async def run(shop: Shop, wanted: Sequence[Collection], times: int) -> bool:
    """Prints a line for each collection and what failed; true when nothing did."""
    failed = 0
    for nth in range(1, times + 1):
        for collection in wanted:
            outcome = await newman.run(collection.name, variables_of(collection, shop))
            failed += len(outcome.failed)
            print(line_of(f"{collection.name} {nth}/{times}", outcome), *outcome.failed, sep="\n    ", flush=True)
    holds, said = await shops.check(shop)
    print("amends check: all is consistent" if holds else said, flush=True)
    return failed == 0 and holds


def line_of(what: str, came: newman.Outcome) -> str:
    """
    >>> line_of("api 1/2", newman.Outcome(12, 30, ["A kettle: status is 201: ..."], 0.52))
    'api 1/2                  12 requests   30 assertions   1 failures    0.5 s'
    """
    counted = f"{came.requests:5} requests {came.assertions:4} assertions {len(came.failed):3} failures"
    return f"{what:<21}{counted} {came.duration_s:6.1f} s"


async def main(asked: argparse.Namespace) -> int:
    wanted = [each for each in COLLECTIONS if asked.only in (None, each.name)]
    await newman.install()
    async with place(asked) as shop:
        return 0 if await run(shop, wanted, asked.times) else 1


def place(asked: argparse.Namespace) -> AbstractAsyncContextManager[Shop]:
    if asked.against:
        return shops.against(asked.against)
    return shops.distributed() if asked.distributed else shops.embedded()


def _place(addresses: Mapping[str, str], edge: str) -> tuple[str, int]:
    if edge not in addresses:
        raise ShopFailed(f"this shop has no {edge}: {', '.join(addresses)}")
    parts = urlsplit(addresses[edge])
    return parts.hostname or "", parts.port or 80


def start(arguments: Sequence[str]) -> int:
    asked = parser().parse_args(arguments)
    try:
        if lacking := newman.missing():
            raise newman.NewmanFailed(lacking)
        return asyncio.run(main(asked))
    except (newman.NewmanFailed, ShopFailed) as error:
        print(f"the collections can't be run: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
