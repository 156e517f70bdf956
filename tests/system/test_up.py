"""`shop up` and `shop order` as a newcomer meets them: what they print, what they leave behind, how they fail."""

import asyncio
import json
import re
import signal
import socket

import pytest

from shop.payments.gateway_wire import LATE
from tests.system.people import Buyer, Operator, order_of, until
from tests.system.shop_process import ShopProcess, run
from tests.system.wire import ask_once

EDGES = {"api", "ops", "queue-saga", "parallel-saga", "two-phase", "idempotent-orders"}
EDGES |= {"pivot-saga", "pivot-saga/warehouse", "pivot-saga/payment", "pivot-saga/notification"}
SLOT = "2034-05-26T16:00:00Z"


async def opened(process: ShopProcess, *options: str) -> None:
    """Ready, and it has said so."""
    await process.start(*options)

    async def has_said() -> bool:
        return "operator" in process.said()

    await until(has_said)


async def demo(shop: ShopProcess) -> Buyer:
    found = Buyer(shop, "demo@shop.example", "demo-demo")
    await found.sign_in()
    return found


async def test_opened_shop_prints_its_addresses_and_serves_at_each(process: ShopProcess) -> None:
    await opened(process)
    print(f"ready in {process.ready_s:.2f} s")
    assert set(process.addresses) >= EDGES
    assert "The shop is open." in process.said()
    for name, address in process.addresses.items():
        assert re.search(rf"^ +{name} +{re.escape(address)}$", process.said(), re.MULTILINE)
        for path in ("/healthz", "/readyz"):
            assert (await ask_once(address, "GET", path)).status == 200


async def test_printed_link_signs_the_operators_browser_in(process: ShopProcess) -> None:
    await opened(process)
    link = re.search(r"operator +(http\S+)", process.said())
    assert link is not None
    ops = process.addresses["ops"]
    answer = await ask_once(ops, "GET", link[1].removeprefix(ops))
    assert answer.status == 303
    assert "httponly" in answer.headers["set-cookie"].lower()


async def test_each_saga_that_ends_is_a_line(process: ShopProcess) -> None:
    await process.start()
    buyer = await demo(process)
    good = (await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="good")).json()["id"]
    bad = (await buyer.ask("POST", "/api/orders", order_of("teapot", SLOT, 11), key="bad")).json()["id"]
    await Operator(process).settle()
    assert re.search(rf"^place-order {good} completed in \d+\.\d ms$", process.said(), re.MULTILINE)
    assert re.search(rf"^place-order {bad} compensated \(out-of-stock\) in \d+\.\d ms$", process.said(), re.MULTILINE)


async def test_quiet_shop_prints_only_its_addresses(shop: ShopProcess) -> None:
    buyer = await demo(shop)
    await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="good")
    await Operator(shop).settle()
    assert "place-order" not in shop.said()
    assert "The shop is open." in shop.said()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
async def test_stopped_shop_takes_its_addresses_away_and_says_nothing_more(
    process: ShopProcess, how: signal.Signals
) -> None:
    await opened(process, "--ports", "auto", "--quiet")
    before = process.said()
    assert await process.end(how) == 0
    assert not (process.folder / "addresses.json").exists()
    assert process.said() == before


async def test_stopping_shop_lets_go_whoever_waits(process: ShopProcess) -> None:
    await opened(process, "--ports", "auto", "--quiet")
    buyer, before = await demo(process), process.said()
    late = order_of("apple", SLOT, pay_with=f"card:{LATE}")
    placed = await buyer.ask("POST", "/api/orders", late, key="one")
    stream = asyncio.create_task(buyer.ask("GET", f"{placed.headers['location']}/events"))
    waiting = asyncio.create_task(buyer.ask("POST", "/api/orders", late, key="two", prefer="wait=60"))
    await until_orders(buyer, 2)
    assert await process.end() == 0
    assert (await waiting).status == 202
    assert b"event: step" in (await stream).body
    assert process.said() == before


async def until_orders(buyer: Buyer, count: int) -> None:
    async def are_there() -> bool:
        return len(await buyer.orders()) == count

    await until(are_there)


async def test_addresses_are_those_of_the_shop_that_runs(process: ShopProcess) -> None:
    await process.start()
    first = process.addresses
    await process.kill()
    assert json.loads((process.folder / "addresses.json").read_text()) == first
    await process.start()
    assert (await ask_once(process.addresses["api"], "GET", "/healthz")).status == 200


async def test_chosen_ports_are_used(process: ShopProcess) -> None:
    names = sorted(EDGES)
    ports = free_ports(len(names))
    await process.start("--ports", ",".join(f"{name}={port}" for name, port in zip(names, ports, strict=True)))
    assert process.addresses == {name: f"http://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}


async def test_taken_port_is_named_and_nothing_stays_open(process: ShopProcess) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        others = sorted(EDGES - {"api"})
        free = ",".join(f"{name}={number}" for name, number in zip(others, free_ports(len(others)), strict=True))
        answer = await run("shop", "up", "--data", str(process.folder), "--ports", f"api={port},{free}")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"shop: port {port} on 127.0.0.1 can't be used")
    assert "--ports auto" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert not (process.folder / "addresses.json").exists()
    await process.start()


@pytest.mark.parametrize("ports", ["nonsense", "api=x", "api=99999", "gateway=8080"])
async def test_wrong_ports_are_named(process: ShopProcess, ports: str) -> None:
    answer = await run("shop", "up", "--data", str(process.folder), "--ports", ports)
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"shop: --ports: {ports!r}")


async def test_restarted_shop_remembers(process: ShopProcess) -> None:
    await process.start()
    buyer = await demo(process)
    placed = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one")
    await Operator(process).settle()
    token = process.token
    assert await process.end() == 0
    await process.start()
    assert process.token == token
    again = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one")
    assert again.json()["id"] == placed.json()["id"]
    assert (await buyer.wallet())["balance_minor"] == 100_000 - 100


async def test_order_script_comes_out_as_documented_every_time(shop: ShopProcess) -> None:
    for _ in range(2):
        answer = await run("shop", "order", "--data", str(shop.folder))
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert "Everything came out as documented" in answer.stdout
        for end in ("Delivery Succes", "Not enough money", "Delivery Error"):
            assert end in answer.stdout
    await Operator(shop).check()


async def test_order_script_says_when_there_is_no_shop(process: ShopProcess) -> None:
    answer = await run("shop", "order", "--data", str(process.folder))
    assert answer.returncode == 1
    assert "Start it first" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stdout + answer.stderr


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
