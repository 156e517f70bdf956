"""What `shop up` shows: the addresses, and each saga that ends. A live table in a terminal, lines elsewhere."""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from amends.coordinator import Coordinator
from amends.pages import Instance
from amends.service import Service
from amends.state import ENDED, Status

SHOWN = 12
PER_HOP = 10
_COLOUR = {Status.COMPLETED: "green", Status.COMPENSATED: "yellow", Status.STUCK: "red"}


class Watched(Protocol):
    """What the board looks at."""

    addresses: dict[str, str]
    operator_token: str
    services: dict[str, Service]


class Board:
    """Opened once the shop serves. `quiet`: only the addresses."""

    def __init__(self, quiet: bool, console: Console | None = None) -> None:
        self._console = console or Console()
        self._quiet = quiet
        self._last: deque[Instance] = deque(maxlen=SHOWN)
        self._counts: dict[Status, int] = {}
        self._live: Live | None = None

    def open(self, shop: Watched) -> None:
        self._console.print(addresses(shop), soft_wrap=True)
        if self._quiet:
            return
        if self._console.is_terminal:
            self._live = Live(get_renderable=self._table, console=self._console, refresh_per_second=4)
            self._live.start()
        for service in shop.services.values():
            if isinstance(service.coordinator, Coordinator):
                service.coordinator.watch.every(self._moved)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()

    def _moved(self, moved: Sequence[Instance]) -> None:
        ended = [each for each in moved if each.state.status in ENDED or each.state.status is Status.STUCK]
        for instance in ended:
            self._counts[instance.state.status] = self._counts.get(instance.state.status, 0) + 1
        self._last.extend(ended[-SHOWN:])
        if self._live is None and ended:
            more = [f"… and {len(ended) - PER_HOP} more in the same hop"] if len(ended) > PER_HOP else []
            self._console.file.write("\n".join([*map(line, ended[:PER_HOP]), *more, ""]))
            self._console.file.flush()

    def _table(self) -> Group:
        table = Table("saga", "name", "end", "cause", "ms", box=None, header_style="dim")
        for each in self._last:
            status = each.state.status
            end = Text(status, _COLOUR[status])
            table.add_row(each.id, each.name, end, each.state.cause, f"{taken_ms(each):.0f}")
        totals = "   ".join(f"{status}: {count}" for status, count in sorted(self._counts.items()))
        return Group(table, Text(totals or "no saga has ended yet: try `make order` in another terminal", "dim"))


def addresses(shop: Watched) -> Text:
    sign_in = f"{shop.addresses['ops']}/ops/signin?token={shop.operator_token}"
    named = {**shop.addresses, "operator": sign_in}
    width = max(map(len, named))
    return Text("\n".join(["The shop is open.", *[f"  {name:<{width}}  {url}" for name, url in named.items()]]))


def line(instance: Instance) -> str:
    """One saga that has ended."""
    state = instance.state
    because = f" ({state.cause})" if state.cause else ""
    return f"{instance.name} {instance.id} {state.status}{because} in {taken_ms(instance):.1f} ms"


def taken_ms(instance: Instance) -> float:
    return (instance.state.history.last.at - instance.started_at) * 1000
