"""What `shop order` does: places the four orders of the `queue-saga` clients in a running shop and shows what came out.

A client like any other: it speaks HTTP and knows nothing of the rooms. What was undone can't be seen through the
storefront; it is asked of the operator's API, and left out where that can't be reached.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.table import Table

from amends.ports import Runtime

ADDRESSES, TOKEN = "addresses.json", "operator.token"
PATIENCE_S = 45.0
POLL_S = 0.02
MONEY, APPLES = 1000, 100
SUCCESS = "Delivery Succes"
ENDS = (SUCCESS, "Not enough money", "Not enough position quantity", "Delivery Error")
_UNDONE = {
    "open order": "",  # its compensation is that the order is rejected
    "hold money": "money",
    "reserve stock": "stock",
    "book courier": "courier",
}


class Running(NamedTuple):
    """Where a shop listens; `token` lets into the operator's API, "" when there is none."""

    storefront: str
    ops: str
    token: str


class Wish(NamedTuple):
    """An order to place, and how it is documented to end."""

    text: str
    quantity: int
    amount: int
    dtime: str
    end: str


class Seen(NamedTuple):
    """What clients see afterwards: the buyer's balance, the apples left, the couriers booked for these orders."""

    balance: float
    stock: int
    couriers: int


class Result(NamedTuple):
    wish: Wish
    end: str
    undone: str
    seen: Seen


async def run(data: Path, console: Console, runtime: Runtime) -> int:
    """Runs the script against the shop on this data folder; 0 when everything came out as documented, else 1."""
    found = locate(data)
    if found is None:
        console.print(f"[red]The shop isn't running on data folder {data}.[/] Start it first: make up", soft_wrap=True)
        return 1
    return await run_against(found, console, runtime)


def locate(data: Path) -> Running | None:
    """Reads what a running shop leaves in its data folder; None when none runs."""
    try:
        addresses = json.loads((data / ADDRESSES).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    token = data / TOKEN
    return Running(
        addresses["queue-saga"], addresses.get("ops", ""), token.read_text().strip() if token.exists() else ""
    )


async def run_against(shop: Running, console: Console, runtime: Runtime) -> int:
    """Runs the script; 0 when everything came out as documented, else 1 with the difference shown."""
    try:
        async with Script(shop, runtime) as script:
            before = await script.prepare()
            console.print(f"{script.login} orders apples at {shop.storefront}", highlight=False, soft_wrap=True)
            results = [await script.place(wish) for wish in await script.wishes()]
    except httpx.ConnectError:
        console.print(f"[red]Nothing listens at {shop.storefront}.[/] Start the shop first: make up", soft_wrap=True)
        return 1
    except (httpx.HTTPError, Unexpected) as error:
        console.print(f"[red]The script could not go on:[/] {error}", soft_wrap=True)
        return 1
    console.print("", table(before, results), "", sep="\n")
    return conclude(differences(before, results), console)


class Unexpected(Exception):
    """The shop answered something that the script can't go on with."""


class Script:
    """One run: a buyer and a product of its own. Used in `async with`, which closes its connections."""

    def __init__(self, shop: Running, runtime: Runtime) -> None:
        self.login = f"ann-{int(runtime.now() * 1000)}"
        self._product = 0
        self._numbers: list[int] = []
        self._runtime = runtime
        self._client = httpx.AsyncClient(base_url=shop.storefront, trust_env=False)
        headers = {"authorization": f"Bearer {shop.token}"} if shop.token else {}
        self._ops = httpx.AsyncClient(base_url=shop.ops or shop.storefront, headers=headers, trust_env=False)

    async def __aenter__(self) -> "Script":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        await self._ops.aclose()

    async def prepare(self) -> Seen:
        """Registers the buyer with money and the product with its stock."""
        await self._post(f"/billing/register?login={self.login}")
        await self._post("/billing/refill", login=self.login, balance=MONEY)
        registered = await self._post("/stock/register", description="apple", quantity=APPLES)
        self._product = registered["id"]
        return await self._look()

    async def wishes(self) -> list[Wish]:
        """The documented orders, for times that are free."""
        times = free_times({each["dtime"] for each in await self._get("/delivery")}, self._runtime.now())
        first, second, third = (next(times) for _ in range(3))
        return [
            Wish("1 apple for 1", 1, 1, first, SUCCESS),
            Wish("1 apple for 10000", 1, 10_000, second, "Not enough money"),
            Wish("1000 apples for 1", 1000, 1, third, "Not enough position quantity"),
            Wish("same time again", 1, 1, first, "Delivery Error"),
        ]

    async def place(self, wish: Wish) -> Result:
        """Places one order and waits for its end."""
        known = await self._sagas()
        placed = await self._post(
            "/orders/",
            login=self.login,
            e_mail="ann@example.org",
            id_product=self._product,
            quntity=wish.quantity,
            amount=wish.amount,
            dtime=wish.dtime,
        )
        self._numbers.append(placed["id"])
        end = await self._end_of(placed["id"])
        return Result(wish, end, await self._undone(known), await self._look())

    async def _end_of(self, number: int) -> str:
        """Polls the last order. Raises `Unexpected` when it doesn't end, or is somebody else's."""
        deadline = self._runtime.now() + PATIENCE_S
        while self._runtime.now() < deadline:
            last = await self._get("/orders/last")
            if last["id"] != number:
                raise Unexpected(f"somebody else placed order {last['id']} meanwhile: run the script again")
            if last["status"] in ENDS:
                return str(last["status"])
            await self._runtime.sleep(POLL_S)
        raise Unexpected(f"order {number} has not ended after {PATIENCE_S:g} s: look at the console of `shop up`")

    async def _look(self) -> Seen:
        account = await self._get(f"/billing/account/{self.login}")
        stock = [each["quantity"] for each in await self._get("/stock") if each["id"] == self._product]
        couriers = [each for each in await self._get("/delivery") if each["id_order"] in self._numbers]
        return Seen(account["balance"], stock[0], len(couriers))

    async def _sagas(self) -> list[str]:
        """The newest orders' sagas; empty when the operator's API can't be asked."""
        found = await self._ask_operator("/ops/sagas?name=place-order&limit=20")
        return [each["id"] for each in found or []]

    async def _undone(self, known: Sequence[str]) -> str:
        """The compensations of the one saga that is new; "?" when it can't be told which that is."""
        fresh = [id for id in await self._sagas() if id not in known]
        saga = await self._ask_operator(f"/ops/sagas/{fresh[0]}") if len(fresh) == 1 else None
        if saga is None:
            return "?"
        undone = [each["name"] for each in saga["steps"] if each["state"] == "undone"]
        return ", ".join(filter(None, (_UNDONE.get(name, name) for name in undone)))

    async def _ask_operator(self, path: str) -> Any:
        try:
            answer = await self._ops.get(path)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    async def _post(self, path: str, **body: str | int) -> Any:
        return _checked(await self._client.post(path, json=body) if body else await self._client.post(path))

    async def _get(self, path: str) -> Any:
        return _checked(await self._client.get(path))


def _checked(answer: httpx.Response) -> Any:
    if answer.status_code != 200:
        raise Unexpected(f"{answer.request.method} {answer.request.url} answered {answer.status_code}: {answer.text}")
    return answer.json()


def free_times(taken: set[str], now: float) -> Iterator[str]:
    """Whole hours from tomorrow on at which no courier is booked; `taken` as the storefront writes them."""
    time = datetime.fromtimestamp(now, UTC).replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while True:
        if f"{time:%Y-%m-%dT%H:%M:%S}" not in taken:
            yield f"{time:%Y-%m-%d %H:%M:%S}"
        time += timedelta(hours=1)


def table(before: Seen, results: Sequence[Result]) -> Table:
    """One row an order, and what was there before the first."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("asked", no_wrap=True)
    shown.add_column("came out")
    shown.add_column("undone", no_wrap=True)
    for heading in ("balance", "apples", "booked"):
        shown.add_column(heading, justify="right")
    shown.add_row("[dim]before[/]", "", "", *map(str, before))
    for each in results:
        colour = "red" if each.end != each.wish.end else "green" if each.end == SUCCESS else "yellow"
        shown.add_row(each.wish.text, f"[{colour}]{each.end}[/]", each.undone or "–", *map(str, each.seen))
    return shown


def differences(before: Seen, results: Sequence[Result]) -> list[str]:
    """Where it came out otherwise than documented."""
    after = Seen(before.balance - 1, before.stock - 1, before.couriers + 1)
    found = []
    for number, each in enumerate(results, 1):
        if each.end != each.wish.end:
            found.append(f"order {number} ended as {each.end!r}, documented is {each.wish.end!r}")
        if each.seen != after:
            found.append(f"order {number} left {_told(each.seen)}, documented is {_told(after)}")
    return found


def _told(seen: Seen) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(Seen._fields, seen, strict=True))


def conclude(differing: Sequence[str], console: Console) -> int:
    if not differing:
        console.print("Everything came out as documented: what was refused has left nothing behind.")
        return 0
    for each in differing:
        console.print(f"[red]{each}[/]")
    return 1
