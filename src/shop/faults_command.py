"""The command `shop faults`: breaks a room of the running shop on purpose, and shows what is broken."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `shop --help` answers at once
    from rich.console import Console

EPILOG = "example: shop faults warehouse --refuse 30 --lose 10"
_SHARES = {
    "refuse": "of its actions are refused, where they may be",
    "lose": "of its answers get lost",
    "twice": "of its answers come twice",
}
_TIMES = {
    "slow-ms": ("MS", "milliseconds before it takes a command"),
    "late-s": ("S", "seconds between its work and its answer"),
    "down-s": ("S", "it takes nothing for so many seconds"),
}


def add_faults(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    faults = commands.add_parser("faults", help="break a room of the running shop on purpose", epilog=EPILOG)
    faults.add_argument("room", nargs="?", default="", metavar="ROOM", help="without one: show what is set everywhere")
    for name, text in _SHARES.items():
        faults.add_argument(f"--{name}", type=int, default=0, metavar="PERCENT", help=text)
    for name, (value, text) in _TIMES.items():
        kind = int if value == "MS" else float
        faults.add_argument(f"--{name}", type=kind, default=0, metavar=value, help=text)
    faults.add_argument("--saga", default="", metavar="NAME", help="only what this definition asks for")
    faults.add_argument("--clear", action="store_true", help="all is well again")
    faults.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="data folder of the shop")
    faults.set_defaults(run=_faults)


def fault_of(arguments: argparse.Namespace) -> dict[str, Any] | None:
    """The body to send; None: only look. Raises `ValueError`."""
    names = [name.replace("-", "_") for name in (*_SHARES, *_TIMES)]
    wanted = {name: getattr(arguments, name) for name in names if getattr(arguments, name)}
    if wanted and arguments.clear:
        raise ValueError("--clear takes everything away: leave it out, or the others")
    if (wanted or arguments.clear) and not arguments.room:
        raise ValueError("name the room: shop faults ROOM …")
    if not wanted and not arguments.clear:
        return None
    return wanted | ({"saga": arguments.saga} if arguments.saga else {})


def _faults(arguments: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    try:
        return asyncio.run(run(arguments.data, arguments.room, fault_of(arguments), console))
    except ValueError as error:
        console.print(f"shop faults: {error}", markup=False)
        return 1


async def run(data: Path, room: str, fault: dict[str, Any] | None, console: "Console") -> int:
    """Sets a room's fault, if there is one, and shows what is set; 0 when that worked."""
    import httpx  # noqa: PLC0415

    from shop.order_script import locate  # noqa: PLC0415

    found = locate(data)
    if found is None:
        console.print(f"The shop isn't running on data folder {data}. Start it first: make up", markup=False)
        return 1
    headers = {"authorization": f"Bearer {found.token}"}
    path = f"/ops/faults/{room}" if room else "/ops/faults"
    try:
        async with httpx.AsyncClient(base_url=found.ops, headers=headers, trust_env=False) as client:
            answer = await (client.get(path) if fault is None else client.put(path, json=fault))
    except httpx.HTTPError as error:
        console.print(f"The shop can't be asked: {error}", markup=False)
        return 1
    return _show(room, answer, console)


def _show(room: str, answer: Any, console: "Console") -> int:
    told = answer.json()
    if answer.status_code != 200:
        console.print(f"shop faults: {told['detail']}", markup=False)
        return 1
    by_room = {room: told} if room else told
    for name, faults in by_room.items():
        for fault in faults or [{}]:
            console.print(f"{name}: {_told(fault) or 'all is well'}", markup=False)
    return 0


def _told(fault: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in fault.items())
