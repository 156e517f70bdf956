"""The real shop as a process, stocked through its HTTP APIs, loaded by the load generator, watched from outside."""

import contextlib
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from bench import stock
from bench.child import folder, running
from bench.load import Request
from bench.look import InFile, Look, OnServer

READY_S = 60.0
PASSWORD = "correct horse battery staple"
CYCLE = 1_000


class Furnished(Protocol):
    """A shop that buyers can be made for: its APIs, and where its orders are placed."""

    api: httpx.Client
    ops: httpx.Client

    @property
    def address(self) -> tuple[str, int]: ...


class Buyer(NamedTuple):
    email: str
    token: str


class Shop:
    """A running shop on a data folder. `ready_s` is how long it took from its start until it could serve.

    `look` sees its orders; `addresses` by edge.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", data: Path, look: Look) -> None:
        self.pid = process.pid
        self._process = process
        self._data = data
        self._look = look
        began = time.perf_counter()
        self.addresses = self._addresses(began + READY_S)
        self.ready_s = time.perf_counter() - began
        self.api = httpx.Client(base_url=self.addresses["api"], timeout=30)
        token = (data / "operator.token").read_text().strip()
        self.ops = httpx.Client(
            base_url=self.addresses["ops"], timeout=30, headers={"Authorization": f"Bearer {token}"}
        )

    @property
    def address(self) -> tuple[str, int]:
        url = urlsplit(str(self.api.base_url))
        return str(url.hostname), int(url.port or 80)

    def rss_mb(self) -> float:
        listed = subprocess.run(["ps", "-o", "rss=", "-p", str(self.pid)], capture_output=True, check=True)
        return int(listed.stdout) / 1024

    def cpu_s(self) -> float:
        """Processor time that it has used; NaN where the system doesn't say it finely enough."""
        return cpu_s(self.pid)

    def wait_idle(self, limit_s: float = 120.0) -> float:
        """Waits until no saga is in flight; returns the Unix time at which that was so."""
        end = time.time() + limit_s
        while self._look.fetch("select 1 from sagas where wake_at is not null limit 1"):
            if time.time() > end:
                raise TimeoutError(f"sagas are still in flight after {limit_s} s")
            time.sleep(0.005)
        return time.time()

    def newest_order(self) -> str:
        return str(self._look.fetch("select coalesce(max(id), '') from orders")[0][0])

    def orders_after(self, id: str) -> dict[str, int]:
        """How many orders came to what, after the one with this id."""
        return dict(self._look.fetch("select status, count(*) from orders where id > ? group by status", id))

    def close(self) -> None:
        self.api.close()
        self.ops.close()

    def _addresses(self, end: float) -> dict[str, str]:
        path = self._data / "addresses.json"
        while not path.exists():
            if self._process.poll() is not None or time.perf_counter() > end:
                log = (self._data.parent / "shop.log").read_text()[-2000:]
                raise RuntimeError(f"the shop didn't start; the end of its log:\n{log}")
            time.sleep(0.01)
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])


def cpu_s(pid: int) -> float:
    """Processor time that a process has used; NaN where it has ended, or the system doesn't say it finely enough."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return math.nan
    used = stat.rpartition(")")[2].split()[11:13]
    return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def shop(data: Path | None = None, dsn: str = "") -> Iterator[Shop]:
    """`shop up` on a data folder, a temporary one by default; stopped by its id at the end.

    `dsn` has its databases on a server, with `{database}` in place of their names.
    """
    with folder() as home:
        data = data or home / "data"
        command = [str(Path(sys.executable).parent / "shop"), "up", "--data", str(data), "--ports", "auto"]
        look: Look = OnServer(dsn.replace("{database}", "orders")) if dsn else InFile(data)
        command += ["--postgres", dsn] if dsn else []
        with running(command, log=data.parent / "shop.log") as process:
            opened = Shop(process, data, look)
            try:
                yield opened
            finally:
                opened.close()


class Buyers:
    """The users, products and slots of `stock`, made through HTTP."""

    def __init__(self, shop: Furnished, users: int = stock.USERS) -> None:
        self._shop = shop
        self._goods()
        self.poor = self._join(stock.POOR, 0)
        self.rich = [self._join(stock.user(nth), stock.MUCH_MINOR) for nth in range(users)]

    def requests(self, *, items: int = stock.ITEMS, refused: float = 0.0, wait_s: int = 0) -> list[Request]:
        """A cycle of orders to place; `wait_s` asks for the final answer."""
        return [self._request(nth, items, refused, wait_s) for nth in range(CYCLE)]

    def _request(self, nth: int, items: int, refused: float, wait_s: int) -> Request:
        turned = stock.is_refused(nth, refused)
        buyer = self.poor if turned and nth % 2 == 0 else self.rich[nth % len(self.rich)]
        sku = stock.SOLD_OUT if turned and nth % 2 else stock.sku(nth % items)
        order = {"items": [{"sku": sku, "quantity": 1}], "slot": stock.slot(nth % stock.SLOTS), "pay_with": "wallet"}
        return self._as_bytes(buyer, msgspec.json.encode(order), wait_s)

    def _as_bytes(self, buyer: Buyer, body: bytes, wait_s: int) -> Request:
        host, port = self._shop.address
        lines = [
            "POST /api/orders HTTP/1.1",
            f"Host: {host}:{port}",
            f"Authorization: Bearer {buyer.token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *([f"Prefer: wait={wait_s}"] if wait_s else []),
            "Idempotency-Key: ",
        ]
        return Request("\r\n".join(lines).encode(), b"\r\n\r\n" + body)

    def _goods(self) -> None:
        for name in [stock.SOLD_OUT, *map(stock.sku, range(stock.ITEMS))]:
            on_hand = 0 if name == stock.SOLD_OUT else stock.PLENTY
            product = {"title": name.title(), "price_minor": stock.PRICE_MINOR, "on_hand": on_hand}
            self._shop.ops.put(f"/ops/products/{name}", json=product).raise_for_status()
        for nth in range(stock.SLOTS):
            self._shop.ops.put(f"/ops/slots/{stock.slot(nth)}", json={"couriers": stock.PLENTY}).raise_for_status()

    def _join(self, name: str, amount_minor: int) -> Buyer:
        email = f"{name}@example.com"
        user = {"email": email, "name": name, "password": PASSWORD}
        joined = self._shop.api.post("/api/users", json=user).raise_for_status().json()
        if amount_minor:
            self._deposit(joined["id"], amount_minor)
        signed = self._shop.api.post("/api/sessions", json={"email": email, "password": PASSWORD}).raise_for_status()
        return Buyer(email, signed.json()["access_token"])

    def _deposit(self, user_id: str, amount_minor: int) -> None:
        """The wallet is opened by a saga of its own: it may take a moment."""
        for _ in range(500):
            answer = self._shop.ops.post(
                f"/ops/wallets/{user_id}/deposits",
                json={"amount_minor": amount_minor},
                headers={"Idempotency-Key": f"deposit-{user_id}"},
            )
            if answer.status_code != 404:
                answer.raise_for_status()
                return
            time.sleep(0.01)
        raise TimeoutError(f"no wallet was opened for user {user_id}")
