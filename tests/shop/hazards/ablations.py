"""Rules, each taken out by a patch; those of keys and tokens are in `ablations_of_keys` and `…_of_tokens`."""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from litestar.params import QueryParameter

from amends.adapters.threads import Threads
from amends.connections import Reader, Tx
from shop.ops.door import Door
from shop.orders import tables
from shop.orders.counter import Counter
from shop.orders.placing import Placing
from shop.orders.tables import Order
from shop.orders.waiting import Waiting
from shop.users.passwords import Passwords
from shop.web import Gate, Principal, Problem, Rates, requests
from tests.shop.hazards import files

Patch = pytest.MonkeyPatch
LIMITED = ("orders.api", "billing.api", "warehouse.api", "delivery.api", "ops.saga_api")


def unknown_fields_are_dropped(patch: Patch) -> None:
    strict = requests._decoder

    class Lax:
        def __init__(self, wanted: Any) -> None:
            self.wanted = wanted

        def decode(self, body: bytes) -> Any:
            known = _without_unknown(msgspec.json.decode(body), msgspec.inspect.type_info(self.wanted))
            return strict(self.wanted).decode(msgspec.json.encode(known))

    patch.setattr(requests, "_decoder", Lax)


def _without_unknown(value: Any, wanted: Any) -> Any:
    match wanted:
        case msgspec.inspect.StructType(fields=fields):
            return {each.name: _without_unknown(value[each.name], each.type) for each in fields if each.name in value}
        case msgspec.inspect.VarTupleType(item_type=item):
            return [_without_unknown(each, item) for each in value]
        case _:
            return value


def price_comes_from_the_body(patch: Patch) -> None:
    _believe(patch, "total_minor", lambda made, value: made._replace(price_minor=value))


def owner_comes_from_the_body(patch: Patch) -> None:
    _believe(patch, "user_id", lambda made, value: made._replace(user_id=value))


def state_comes_from_the_body(patch: Patch) -> None:
    named: dict[str, str] = {}

    def note(made: Placing, value: str) -> Placing:
        named[made.user_id] = value
        return made

    _believe(patch, "status", note)
    insert = tables.insert_orders

    async def as_named(tx: Tx, orders: Sequence[Order]) -> None:
        await insert(tx, orders)
        for each in orders:
            if each.user_id in named:
                await tx.run("update orders set status = ? where id = ?", (named.pop(each.user_id), each.id))

    patch.setattr(tables, "insert_orders", as_named)


def _believe(patch: Patch, field: str, apply: Callable[[Placing, Any], Placing]) -> None:
    """What the body says in this field is taken for true."""
    strict = Counter._placing

    def believing(self: Counter, buyer: Principal, headers: Mapping[bytes, bytes], body: bytes) -> Placing:
        wanted = json.loads(body)
        value = wanted.pop(field, None)
        made = strict(self, buyer, headers, json.dumps(wanted).encode())
        return made if value is None else apply(made, value)

    patch.setattr(Counter, "_placing", believing)


def any_token_is_the_operators(patch: Patch) -> None:
    patch.setattr(Door, "fits", lambda self, token: bool(token))


def owners_are_not_compared(patch: Patch) -> None:
    class Anybody(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return True

        def __ne__(self, other: object) -> bool:
            return False

    load = tables.load

    async def of_anybody(reader: Reader, ids: Sequence[str]) -> dict[str, Order]:
        return {id: each._replace(user_id=Anybody(each.user_id)) for id, each in (await load(reader, ids)).items()}

    patch.setattr(tables, "load", of_anybody)


def another_is_told_that_it_exists(patch: Patch) -> None:
    """403 for what belongs to somebody else, 404 for what isn't there."""

    def told(status: int, name: str, detail: str, **more: Any) -> Problem:
        hidden = status == 404 and "no-such-order" not in detail
        return Problem(403, "not-yours", detail, **more) if hidden else Problem(status, name, detail, **more)

    patch.setattr("shop.orders.api.Problem", told)


def bodies_of_orders_have_no_bound(patch: Patch) -> None:
    patch.setattr("shop.web.hot.MOST_BODY_BYTES", math.inf)


def other_bodies_have_no_bound(patch: Patch) -> None:
    patch.setattr("shop.web.app.MOST_BODY_BYTES", 10**12)


def pages_are_as_long_as_asked(patch: Patch) -> None:
    for module in LIMITED:
        patch.setattr(f"shop.{module}.Limit", Annotated[int, QueryParameter(ge=1)])


def pages_of_sagas_are_as_long_as_asked(patch: Patch) -> None:
    patch.setattr("shop.ops.saga_api.Limit", Annotated[int, QueryParameter(ge=1)])


def nobody_is_counted(patch: Patch) -> None:
    patch.setattr(Rates, "take", lambda self, principal, now: 0.0)


def counter_counts_nobody(patch: Patch) -> None:
    make: Any = Counter.__init__

    def generous(self: Counter, *parts: Any) -> None:
        make(self, *parts[:-1], Rates(per_s=1e6, burst=10**9))

    patch.setattr(Counter, "__init__", generous)


def gate_counts_nobody(patch: Patch) -> None:
    patch.setattr(Gate, "pass_through", lambda self, principal: None)


def all_share_one_rate(patch: Patch) -> None:
    take = Rates.take
    patch.setattr(Rates, "take", lambda self, principal, now: take(self, "everybody", now))


def wrong_passwords_are_not_counted(patch: Patch) -> None:
    patch.setattr("shop.users.accounts.WRONG_BURST", 10**9)


def hashes_run_in_the_loop(patch: Patch) -> None:
    async def run(self: Threads, work: Callable[[], Any]) -> Any:
        return work()

    patch.setattr(Threads, "run", run)


def hashes_run_as_many_as_come(patch: Patch) -> None:
    patch.setattr("shop.wiring.Threads", lambda count: Threads(64))


def any_number_of_hashes_may_wait(patch: Patch) -> None:
    patch.setattr("shop.rooms.Passwords", lambda threads: Passwords(threads, most_waiting=10**9))


def nobody_is_let_go(patch: Patch) -> None:
    """The server cuts off whoever is still there when its grace is over."""
    patch.setattr(Waiting, "end", lambda self: None)


def nobody_is_let_go_nor_cut_off(patch: Patch) -> None:
    nobody_is_let_go(patch)
    patch.setattr("shop.servers.GRACE_S", None)


def second_library_is_imported(patch: Patch) -> None:
    def planted(folder: Path) -> Path:
        shutil.copytree(files.SOURCES, folder / "src")
        (folder / "src/shop/reports.py").write_text("import sqlite3\n")
        return folder / "src"

    patch.setattr(files, "sources", planted)
